//! `lorgnette demo`: "What is that?" about every sample picture, on the terminal and as PNG.

use std::io::stdout;
use std::path::Path;

use engine::Question;
use eval::naming::is_named;
use values::config::{DEFAULT_QUESTION, Folders};

use super::ask::read;
use super::output::text_line;
use super::session::Session;
use super::{CliError, DemoArgs, Tools, drawing};

/// The table of samples beside the pictures.
const SOURCES: &str = "SOURCES.txt";

/// A sample picture and what a right answer may call it.
#[derive(Debug, PartialEq, Eq)]
pub struct Sample {
    pub file: String,
    pub names: Vec<String>,
}

/// The samples of this installation, in the order of their table.
pub fn samples(folders: &Folders) -> Result<Vec<Sample>, CliError> {
    let table = folders.samples.join(SOURCES);
    let failed = |reason: String| CliError::File { file: table.display().to_string(), reason };
    let text = std::fs::read_to_string(&table).map_err(|error| failed(error.to_string()))?;
    match parse(&text) {
        samples if samples.is_empty() => Err(failed("it lists no sample picture".into())),
        samples => Ok(samples),
    }
}

/// Rows of `file | what it shows | accepted names | licence | source`, below a header row.
fn parse(table: &str) -> Vec<Sample> {
    let rows = table.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split(" | ").collect();
        let [file, _, names, _, _] = columns[..] else {
            return None;
        };
        let names = names.split(',').map(|name| name.trim().to_lowercase()).collect();
        Some(Sample { file: file.to_owned(), names })
    });
    rows.skip(1).collect()
}

pub fn run(tools: Tools<'_>, args: &DemoArgs) -> Result<(), CliError> {
    let folders = tools.folders;
    let samples = samples(folders)?;
    let unwritable = |path: &Path, error: &dyn std::fmt::Display| CliError::File {
        file: path.display().to_string(),
        reason: error.to_string(),
    };
    std::fs::create_dir_all(&args.out).map_err(|error| unwritable(&args.out, &error))?;
    let mut session = Session::start(tools, &args.model)?;
    let model = session.ready()?;
    let mut out = stdout().lock();
    text_line(
        &mut out,
        &format!("{} on {}: {DEFAULT_QUESTION}", model.info.name, model.info.device),
    )?;
    let mut named = 0;
    for sample in &samples {
        let file = folders.samples.join(&sample.file);
        let (pictures, _) = read(&[file], &[])?;
        let evidence = session.evidence(&pictures, DEFAULT_QUESTION)?;
        let question = Question::told(&pictures, &evidence, DEFAULT_QUESTION);
        let answer = session.ask(question, |_| Ok(()))?;
        let right = is_named(&answer.text, &sample.names);
        named += usize::from(right);
        let mark = if right { "named" } else { "-" };
        text_line(&mut out, &format!("{:24} {mark:6} {}", sample.file, answer.text))?;

        let Some(drawing) =
            drawing::draw(&pictures[0].frame.pixels, DEFAULT_QUESTION, &answer.tokens)
        else {
            continue;
        };
        let target = args.out.join(&sample.file).with_extension("png");
        drawing.save(&target).map_err(|error| unwritable(&target, &error))?;
    }
    let count = samples.len();
    text_line(&mut out, &format!("{named} of {count} named; drawn into {}", args.out.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_gives_files_and_names_and_passes_over_prose() {
        let table = "Prose.\n\nfile | shows | accepted names | licence | source\n\
                     cat.jpg | a cat | Cat, kitten | CC0 | someone\n\nMore | prose\n";
        let wanted = Sample { file: "cat.jpg".into(), names: vec!["cat".into(), "kitten".into()] };
        assert_eq!(parse(table), [wanted]);
    }
}
