//! `lorgnette read`: what is written in pictures, without the language model.

use std::io::stdout;
use std::time::Instant;

use evidence::Evidence;
use serde::Serialize;

use super::ask::{check_regions, read};
use super::output::{PictureReport, json_line, text_line};
use super::{CliError, LookArgs, Tools};

/// What was read in one picture.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    picture: PictureReport,
    /// Seconds to read it.
    seconds: f64,
}

pub fn run(tools: Tools<'_>, args: &LookArgs) -> Result<(), CliError> {
    check_regions(&args.pictures, &args.region)?;
    let (pictures, _) = read(&args.pictures, &args.region)?;
    let witness = tools.witness();
    let mut out = stdout().lock();
    let several = pictures.len() > 1;
    for picture in pictures {
        let started = Instant::now();
        let lines = witness.lines(&picture, &mut |_| true)?;
        let seconds = started.elapsed().as_secs_f64();
        let name = picture.frame.source.location();
        if lines.is_empty() && !args.json {
            eprintln!("lorgnette: {name}: nothing that is written could be read");
        }
        if args.json {
            let picture = PictureReport::of(&picture, Evidence { lines, ..Evidence::default() });
            json_line(&mut out, &Found { picture, seconds })?;
            continue;
        }
        if several {
            text_line(&mut out, &name)?;
        }
        for line in lines {
            // What is written somewhere must not move the cursor of a terminal.
            text_line(&mut out, &values::text::one_line(&line.text))?;
        }
    }
    Ok(())
}
