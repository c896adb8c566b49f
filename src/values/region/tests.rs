//! Regions over many sizes, shapes and spellings.

use image::Rgb;

use super::*;

fn parse(text: &str) -> Result<RegionSpec, RegionError> {
    text.parse()
}

fn resolve(text: &str, width: u32, height: u32) -> Result<Region, RegionError> {
    parse(text)?.resolve(width, height)
}

/// Numbers without a pattern, the same in every run (Marsaglia, "Xorshift RNGs", 2003).
fn random() -> impl FnMut(u32) -> u32 {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % u64::from(below)) as u32
    }
}

#[test]
fn numbers_up_to_one_are_fractions_and_others_pixels() {
    let unit = |text| parse(text).map(|spec| spec.unit);
    assert_eq!(unit("0.25,0.25,0.5,0.5"), Ok(Unit::Fractions));
    assert_eq!(unit(" 0, 0, 1, 1 "), Ok(Unit::Fractions));
    assert_eq!(unit("0,0,1,2"), Ok(Unit::Pixels));
    assert_eq!(unit("100,80,200,150"), Ok(Unit::Pixels));
    assert_eq!(resolve("0,0,1,1", 640, 480), Ok(Region::WHOLE));
    assert_eq!(resolve("0,0,640,480", 640, 480), Ok(Region::WHOLE));
    assert_eq!(resolve("160,120,320,240", 640, 480), Region::new(0.25, 0.25, 0.5, 0.5));
}

#[test]
fn what_is_not_four_numbers_is_refused_with_an_example() {
    for text in ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1;2;3;4", "1,2,3,", "10%,1,1,1"] {
        assert_eq!(parse(text), Err(RegionError::Syntax(text.into())));
    }
    let message = parse("left half").unwrap_err().to_string();
    assert!(message.starts_with("\"left half\" is not a region: give x,y,width"), "{message}");
    assert!(parse(&"9".repeat(10_000).replace('9', "9;")).unwrap_err().to_string().len() < 300);
}

#[test]
fn regions_that_mean_nothing_are_refused() {
    let refused = |text| resolve(text, 640, 480).unwrap_err();
    assert_eq!(refused("nan,0,0.5,0.5"), RegionError::NotFinite("x"));
    assert_eq!(refused("0,0,0.5,inf"), RegionError::NotFinite("height"));
    assert_eq!(refused("5,-3,20,20"), RegionError::Negative { name: "y", value: -3.0 });
    assert_eq!(refused("0,0,-20,20"), RegionError::Negative { name: "width", value: -20.0 });
    assert_eq!(refused("0.1,0.1,0,0.5"), RegionError::ZeroSize);
    assert_eq!(refused("5,5,20,0"), RegionError::ZeroSize);
    assert_eq!(refused("0.1,0.1,1e-60,0.5"), RegionError::ZeroSize);
    assert_eq!(refused("640,0,20,20"), RegionError::Outside { x: 640.0, y: 0.0 });
    assert_eq!(refused("0,9000,20,20"), RegionError::Outside { x: 0.0, y: 9000.0 });
    assert_eq!(refused("1,0,0.5,0.5"), RegionError::Outside { x: 1.0, y: 0.0 });
    let beyond = Region::new(0.0, 1.0, 0.5, 0.5);
    assert_eq!(beyond, Err(RegionError::Outside { x: 0.0, y: 1.0 }));
    assert_eq!(resolve("0,0,1,1", 0, 480), Err(RegionError::EmptyPicture));
    assert_eq!(
        refused("640,0,20,20").to_string(),
        "the region starts at 640,0, outside the picture"
    );
}

#[test]
fn a_part_outside_is_cut_off() {
    let clipped = resolve("600,400,1e9,5000", 640, 480).unwrap();
    let expected = PixelBox { x: 600, y: 400, width: 40, height: 80 };
    assert_eq!(clipped.pixels(640, 480), expected);
    assert_eq!(Region::new(0.5, 0.5, 9.0, 0.75), Region::new(0.5, 0.5, 0.5, 0.5));
}

#[test]
fn pixels_come_back_as_given() {
    let mut random = random();
    for _ in 0..20_000 {
        let (width, height) = (2 + random(65_534), 2 + random(65_534));
        let (x, y) = (random(width), random(height));
        let given = PixelBox { x, y, width: 1 + random(width - x), height: 1 + random(height - y) };
        let spec = RegionSpec {
            unit: Unit::Pixels,
            x: x.into(),
            y: y.into(),
            width: given.width.into(),
            height: given.height.into(),
        };
        let region = spec.resolve(width, height).unwrap();
        assert_eq!(region.pixels(width, height), given, "in {width}×{height}");
    }
}

#[test]
fn any_region_is_inside_and_not_empty_at_any_size() {
    let mut random = random();
    let sizes = [1, 2, 3, 7, 100, 640, 1023, 4032, 65_535, 100_000_000];
    for _ in 0..20_000 {
        let mut fraction = || random(1 << 24) as f32 / (1 << 24) as f32;
        let (x, y) = (fraction(), fraction());
        // Small ones too: those are where rounding could leave nothing.
        let (w, h) = (fraction().powi(5), fraction().powi(5));
        let Ok(region) = Region::new(x, y, w, h) else {
            assert!(w == 0.0 || h == 0.0, "{x},{y},{w},{h}");
            continue;
        };
        assert!(region.x() + region.width() <= 1.0, "{region}");
        assert!(region.y() + region.height() <= 1.0, "{region}");
        let width = sizes[random(sizes.len() as u32) as usize];
        let height = sizes[random(sizes.len() as u32) as usize];
        let (inner, outer) = (region.pixels(width, height), region.context(width, height));
        for part in [inner, outer] {
            assert!(part.width > 0 && part.height > 0, "{region}: {part:?}");
            assert!(part.x + part.width <= width, "{region} in {width}: {part:?}");
            assert!(part.y + part.height <= height, "{region} in {height}: {part:?}");
        }
        assert!(outer.x <= inner.x && outer.y <= inner.y, "{outer:?} {inner:?}");
        assert!(outer.x + outer.width >= inner.x + inner.width, "{outer:?} {inner:?}");
        assert!(outer.y + outer.height >= inner.y + inner.height, "{outer:?} {inner:?}");
    }
}

#[test]
fn text_and_json_give_back_the_same_region() {
    let mut random = random();
    for _ in 0..5_000 {
        let mut fraction = || (1 + random(1 << 24)) as f32 / ((1 << 24) as f32 + 2.0);
        let region = Region::new(fraction(), fraction(), fraction(), fraction()).unwrap();
        assert_eq!(resolve(&region.to_string(), 640, 480), Ok(region), "{region}");
        let json = serde_json::to_string(&region).unwrap();
        assert_eq!(serde_json::from_str::<Region>(&json).unwrap(), region, "{json}");
    }
    let region = Region::new(0.25, 0.0, 0.5, 1.0).unwrap();
    assert_eq!(region.to_string(), "0.25,0,0.5,1");
    let json = r#"{"x":0.25,"y":0.0,"width":0.5,"height":1.0}"#;
    assert_eq!(serde_json::to_string(&region).unwrap(), json);
}

#[test]
fn json_is_checked() {
    let read = |json| serde_json::from_str::<Region>(json);
    assert!(read(r#"{"x":0.25,"y":0,"width":0.5,"height":1}"#).is_ok());
    let error = read(r#"{"x":-1,"y":0,"width":0.5,"height":1}"#).unwrap_err();
    assert!(error.to_string().contains("x is negative"), "{error}");
    assert!(read(r#"{"x":2,"y":0,"width":0.5,"height":1}"#).is_err());
    assert!(read(r#"{"x":0,"y":0,"width":0,"height":1}"#).is_err());
    assert!(read(r#"{"x":0,"y":0,"width":1}"#).is_err());
}

/// A picture whose pixels tell where they are.
fn ruled(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x >> 8) as u8, x as u8, y as u8]))
}

#[test]
fn a_large_region_is_cut_out_with_its_surroundings() {
    let picture = ruled(1000, 250);
    let region = resolve("400,50,400,100", 1000, 250).unwrap();
    let context = PixelBox { x: 340, y: 35, width: 520, height: 130 };
    assert_eq!(region.context(1000, 250), context);
    let crop = region.crop(&picture);
    assert_eq!(crop.dimensions(), (520, 130));
    for (x, y, pixel) in crop.enumerate_pixels() {
        assert_eq!(pixel, picture.get_pixel(x + 340, y + 35));
    }
    assert_eq!(Region::WHOLE.crop(&picture), picture);
}

#[test]
fn surroundings_end_at_the_edge() {
    let region = resolve("0,200,400,50", 1000, 250).unwrap();
    let context = PixelBox { x: 0, y: 192, width: 460, height: 58 };
    assert_eq!(region.context(1000, 250), context);
}

#[test]
fn a_small_region_is_enlarged_with_its_aspect() {
    let mut picture = RgbImage::from_pixel(640, 480, Rgb([10, 20, 30]));
    for (x, y) in (100..140).flat_map(|x| (100..120).map(move |y| (x, y))) {
        picture.put_pixel(x, y, Rgb([200, 100, 50]));
    }
    // 40×20, and with its margins 52×26.
    let crop = resolve("100,100,40,20", 640, 480).unwrap().crop(&picture);
    assert_eq!(crop.dimensions(), (224, 112));
    assert_eq!(*crop.get_pixel(112, 56), Rgb([200, 100, 50]));
    assert_eq!(*crop.get_pixel(2, 2), Rgb([10, 20, 30]));
}

#[test]
fn crops_of_any_shape_have_pixels() {
    for (width, height) in [(1, 1), (1, 500), (500, 1), (3, 224), (223, 2)] {
        let crop = Region::WHOLE.crop(&ruled(width, height));
        assert!(crop.width() > 0 && crop.height() > 0);
        assert!(crop.width().max(crop.height()) >= MIN_CROP, "{width}×{height}");
        let one = Region::new(0.99, 0.99, 0.001, 0.001).unwrap().crop(&ruled(width, height));
        assert_eq!(one.width().max(one.height()), MIN_CROP, "{width}×{height}");
    }
    let flat = Region::WHOLE.crop(&RgbImage::from_pixel(1, 1, Rgb([7, 8, 9])));
    assert_eq!(flat, RgbImage::from_pixel(224, 224, Rgb([7, 8, 9])));
    assert_eq!(Region::WHOLE.crop(&RgbImage::new(0, 0)).dimensions(), (0, 0));
}
