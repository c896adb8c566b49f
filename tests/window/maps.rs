//! Maps over the picture, by the names that a screen reader gives, drawn from made-up values.

use super::bench::{ANSWER, Bench, causal, encoder, grounding};
use lorgnette::ui::maps::{MapKind, Typed, Wanted};

#[test]
fn look() {
    let out = std::path::PathBuf::from("/tmp/maps-look");
    std::fs::create_dir_all(&out).unwrap();
    for (size, dark) in [((800.0, 600.0), false), ((1280.0, 800.0), true), ((1280.0, 800.0), false), ((700.0, 560.0), true)] {
        let mut shoot = |name: &str, set: &dyn Fn(&mut Bench)| {
            let mut bench = Bench::new(size, dark, false);
            let image = image::open("assets/samples/cat.jpg").unwrap().to_rgb8();
            bench.show(image, false);
            bench.answer(ANSWER, Wanted::Ready(grounding()));
            set(&mut bench);
            bench.steps();
            bench.steps();
            let picture = bench.window.render().unwrap();
            picture.save(out.join(format!("{name}-{}-{dark}.png", size.0))).unwrap();
        };
        shoot("off", &|_| {});
        shoot("encoder", &|bench| {
            bench.view().maps.kind = Some(MapKind::Encoder);
            bench.view().maps.encoder = encoder(6.0);
        });
        shoot("word", &|bench| {
            bench.view().maps.kind = Some(MapKind::Word);
            bench.view().maps.word = Some((0, 1));
        });
        shoot("phrase", &|bench| {
            bench.view().maps.kind = Some(MapKind::Phrase);
            bench.view().maps.dual = Wanted::Ready("CLIP ViT-B/32".into());
            bench.view().maps.labels = vec![("person".into(), 0.1), ("animal".into(), 0.72), ("plant".into(), 0.05), ("vehicle".into(), 0.03), ("food".into(), 0.09)];
            bench.view().maps.phrase = Wanted::Ready(Typed {
                text: "a green square".into(),
                map: super::bench::spot(7, (0.7, 0.3), 0.12, 0.31),
                present: true,
            });
        });
        shoot("nodual", &|bench| {
            bench.view().maps.kind = Some(MapKind::Phrase);
        });
        shoot("causal", &|bench| {
            bench.view().maps.kind = Some(MapKind::Causal);
            bench.view().maps.checked = Some(0);
            bench.view().maps.causal = Wanted::Ready(causal(32, true));
        });
        shoot("pinned", &|bench| {
            bench.view().maps.pinned = Some((0, 0));
        });
    }
}
