use super::bench::{ANSWER, Bench, causal, encoder, grounding, spot};
use egui_kittest::kittest::Queryable;
use lorgnette::ui::maps::{MapKind, Typed, Wanted};

#[test]
fn look() {
    let out = std::path::PathBuf::from("/tmp/maps-look");
    std::fs::create_dir_all(&out).unwrap();
    for (size, dark) in [
        ((800.0, 600.0), false),
        ((1280.0, 800.0), true),
        ((1280.0, 800.0), false),
        ((700.0, 560.0), true),
    ] {
        let shoot = |name: &str, set: &dyn Fn(&mut Bench)| {
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
            bench.view().maps.labels = vec![
                ("person".into(), 0.1),
                ("animal".into(), 0.72),
                ("plant".into(), 0.05),
                ("vehicle".into(), 0.03),
                ("food".into(), 0.09),
            ];
            bench.view().maps.phrase = Wanted::Ready(Typed {
                text: "a green square".into(),
                map: spot(7, (0.7, 0.3), 0.12, 0.31),
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
            bench.steps();
            let at = bench.at(0.9, 0.9);
            bench.window.hover_at(at);
        });
        shoot("settings", &|bench| {
            bench.view().settings.maps.dual = Some("/home/me/models/clip-vit-base-patch32".into());
            bench.view().maps.dual = Wanted::Ready("CLIP ViT-B/32".into());
            bench.view().dialog = Some(lorgnette::ui::Dialog::Settings);
            bench.steps();
            bench.window.get_by_label("Tie answers to the picture").scroll_to_me();
        });
        shoot("keys", &|bench| {
            bench.view().dialog = Some(lorgnette::ui::Dialog::Keys);
        });
        shoot("flat", &|bench| {
            bench.view().maps.kind = Some(MapKind::Encoder);
            bench.view().maps.encoder = encoder(1.06);
        });
    }
}
