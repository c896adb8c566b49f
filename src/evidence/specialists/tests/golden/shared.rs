//! What needs the pictures and goldens beside the repository.

use image::RgbImage;
use safetensors::SafeTensors;

use crate::{Expected, agree, encoder, greatest_difference, shared, tensors};

pub fn pixels() {
    let encoder = encoder();
    let golden = shared().unwrap().join("evidence/golden");
    let wanted = tensors(&golden.join("labels.safetensors"));
    let bytes = std::fs::read(golden.join("labels.safetensors")).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let text = std::fs::read_to_string(golden.join("labels.jsonl")).unwrap();
    for (number, line) in text.lines().take(4).enumerate() {
        let pixels = stored.tensor(&format!("pixels.{number:02}")).unwrap();
        let [height, width, _] = *pixels.shape() else { panic!("{:?}", pixels.shape()) };
        let pixels =
            RgbImage::from_raw(width as u32, height as u32, pixels.data().to_vec()).unwrap();
        let output = encoder.run(&pixels).unwrap();
        let rows = encoder.set().rows();
        let apart = greatest_difference(&output.logits, &wanted["logits"][number * rows..][..rows]);
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let row = line["map_row"].as_u64().unwrap() as usize;
        let cells = output.grid.0 * output.grid.1;
        let map = &output.maps[row * cells..][..cells];
        let map_apart = greatest_difference(map, &wanted[&format!("map.{number:02}")]);
        assert!(apart <= 1e-3 && map_apart <= 1e-3, "{number}: {apart}, {map_apart}");

        // Our own resize, from the file.
        let file = shared().unwrap().join("data").join(line["image"].as_str().unwrap());
        let ours = encoder.sized(&capture::load(&file).unwrap().pixels);
        assert_eq!(ours.dimensions(), pixels.dimensions());
        let apart: Vec<u8> =
            ours.iter().zip(pixels.iter()).map(|(ours, wanted)| ours.abs_diff(*wanted)).collect();
        let beyond = apart.iter().filter(|apart| **apart > 2).count();
        let greatest = apart.iter().max().unwrap();
        // Decoders of JPEG round differently, too.
        assert!(
            beyond * 1000 <= apart.len() * 3,
            "{number}: {beyond} of {} values differ by more than 2, by {greatest} at most",
            apart.len()
        );
    }
}

pub fn lists() {
    let encoder = encoder();
    let folder = shared().unwrap();
    let text = std::fs::read_to_string(folder.join("evidence/golden/labels.jsonl")).unwrap();
    let expected: Vec<Expected> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let compared = expected.iter().map(|it| {
        let frame = capture::load(&folder.join("data").join(&it.image)).unwrap();
        it.compare(frame, &encoder)
    });
    let (lists, colours) = agree(compared);
    assert_eq!(expected.len(), 60);
    println!("{lists} of 60 have the same lists, {colours} the same colours");
    assert!(lists >= 54 && colours >= 58, "{lists} have the same lists, {colours} colours");
}
