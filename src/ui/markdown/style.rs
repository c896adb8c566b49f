//! The colours and sizes of an answer, and how sure a token has to be to be drawn in full.

use egui::{Color32, FontFamily, FontId, Rgba, TextStyle, Ui};

/// The least contrast that text is drawn with: what WCAG 2.2 asks of ordinary text (AA).
pub const LEAST_CONTRAST: f32 = 4.5;

/// The least contrast of what is not text, as an underline (WCAG 2.2, 1.4.11).
const LEAST_CONTRAST_OF_LINES: f32 = 3.0;

/// How much of the accent colour lies behind an active phrase.
const TINT: f32 = 0.14;

/// How an answer looks.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkdownStyle {
    /// The size of ordinary text, in points. Headings, code and all distances follow it.
    pub size: f32,
    /// Text that the model was sure of.
    pub fg: Color32,
    /// Text that the model was least sure of; everything else lies between this and `fg`.
    pub faint: Color32,
    /// What stands beside the answer: a link's address, a code block's language.
    pub weak: Color32,
    /// Behind code.
    pub code_bg: Color32,
    /// Lines: rules, the bar of a quotation, a table's grid. Decoration, and free to be pale.
    pub line: Color32,
    /// The underline of a phrase that can be pointed at.
    pub accent: Color32,
    /// The dots below a phrase that nothing bears out.
    pub doubt: Color32,
    /// Behind a phrase that is active.
    pub tint: Color32,
    /// The family of ordinary text.
    pub family: FontFamily,
    /// The family of code.
    pub code_family: FontFamily,
    /// The family of strong text, which must be known to egui. Without one, strong text is drawn
    /// twice, a pixel apart.
    pub strong_family: Option<FontFamily>,
    /// Whether the least sure words get a dotted line below, for eyes that cannot tell the shades.
    pub dots: bool,
}

impl MarkdownStyle {
    /// The style of `ui`'s theme, for text on `background`.
    ///
    /// The faintest text keeps [`LEAST_CONTRAST`] to the background, to code's and to a phrase's,
    /// whatever the theme, so long as the theme's own text does.
    pub fn on(ui: &Ui, background: Color32) -> Self {
        let visuals = ui.visuals();
        let background =
            Color32::from_gray(if visuals.dark_mode { 0 } else { 255 }).blend(background);
        let over = |colour: Color32| background.blend(colour);
        // Between the theme's text and its strongest: the shades below need room.
        let fg = over(visuals.text_color()).lerp_to_gamma(over(visuals.strong_text_color()), 0.75);
        let code_bg = background.lerp_to_gamma(over(visuals.code_bg_color), 0.6);
        let accent = strengthen(over(visuals.hyperlink_color), fg, background);
        let tint = background.lerp_to_gamma(accent, TINT);
        let grounds = [background, code_bg, tint];
        let body = TextStyle::Body.resolve(ui.style());
        Self {
            size: body.size,
            fg,
            faint: fade(fg, background, &grounds, LEAST_CONTRAST + 0.1),
            weak: fade(fg, background, &grounds, LEAST_CONTRAST + 1.0),
            code_bg,
            line: background.lerp_to_gamma(fg, 0.2),
            accent,
            doubt: strengthen(over(visuals.warn_fg_color), fg, background),
            tint,
            family: body.family,
            code_family: TextStyle::Monospace.resolve(ui.style()).family,
            strong_family: None,
            dots: true,
        }
    }

    /// The colour of text of this strength, from 0 (`faint`) to 1 (`fg`).
    pub fn shade(&self, strength: f32) -> Color32 {
        let strength = if strength.is_nan() { 1.0 } else { strength.clamp(0.0, 1.0) };
        self.faint.lerp_to_gamma(self.fg, strength)
    }

    /// The distance between the baselines of text of `size` points, in whole points.
    pub(super) fn line_height(size: f32) -> f32 {
        (size * 1.4).round()
    }

    pub(super) fn code_font(&self, size: f32) -> FontId {
        FontId::new(size * 0.92, self.code_family.clone())
    }
}

/// The style of the `Ui`'s theme on its panels.
impl From<&Ui> for MarkdownStyle {
    fn from(ui: &Ui) -> Self {
        Self::on(ui, ui.visuals().panel_fill)
    }
}

/// How strongly a token is drawn, from 0 to 1, by the natural logarithm of its probability.
///
/// Straight in the logarithm, as a sum of surprises is: what had nine chances in ten or more is
/// drawn in full, one in two at 0.84, one in ten at 0.42, one in fifty or less at 0. What is no
/// number says nothing and is drawn in full.
pub fn strength(logprob: f32) -> f32 {
    // ln 0.9 and ln 0.02.
    const SURE: f32 = -0.105;
    const UNSURE: f32 = -3.912;
    if logprob.is_nan() { 1.0 } else { ((logprob - UNSURE) / (SURE - UNSURE)).clamp(0.0, 1.0) }
}

/// The contrast ratio of two opaque colours as WCAG defines it, from 1 to 21.
pub fn contrast(a: Color32, b: Color32) -> f32 {
    let luminance = |colour: Color32| {
        let linear = Rgba::from(colour);
        0.2126 * linear.r() + 0.7152 * linear.g() + 0.0722 * linear.b()
    };
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    if a > b { a / b } else { b / a }
}

/// `from` moved towards `to` as far as it keeps `least` contrast to every one of the `grounds`.
fn fade(from: Color32, to: Color32, grounds: &[Color32], least: f32) -> Color32 {
    let steps = (0..=100_u8).rev().map(|step| from.lerp_to_gamma(to, f32::from(step) / 100.0));
    let readable = |colour: &Color32| grounds.iter().all(|&at| contrast(*colour, at) >= least);
    steps.into_iter().find(readable).unwrap_or(from)
}

/// `colour` moved towards `fg` until a line of it is seen on `background`.
fn strengthen(colour: Color32, fg: Color32, background: Color32) -> Color32 {
    let mut steps = (0..=100_u8).map(|step| colour.lerp_to_gamma(fg, f32::from(step) / 100.0));
    let seen = |step: &Color32| contrast(*step, background) >= LEAST_CONTRAST_OF_LINES;
    steps.find(seen).unwrap_or(fg)
}

#[cfg(test)]
mod tests {
    use egui::Visuals;

    use super::*;

    /// The style in a theme, and the panel's colour.
    fn style(visuals: &Visuals) -> (MarkdownStyle, Color32) {
        let mut found = None;
        let context = egui::Context::default();
        let output = context.run_ui(egui::RawInput::default(), |ui| {
            ui.style_mut().visuals = visuals.clone();
            found = Some((MarkdownStyle::from(&*ui), ui.visuals().panel_fill));
        });
        output.drop_without_applying_deltas();
        found.unwrap()
    }

    #[test]
    fn the_faintest_text_is_readable_in_both_themes() {
        let mut odd = Visuals::dark();
        odd.panel_fill = Color32::from_rgb(30, 34, 60);
        odd.code_bg_color = Color32::from_rgb(70, 60, 90);
        for visuals in [Visuals::light(), Visuals::dark(), odd] {
            let (style, panel) = style(&visuals);
            for ground in [panel, style.code_bg, style.tint] {
                for step in 0..=20_u8 {
                    let colour = style.shade(f32::from(step) / 20.0);
                    let ratio = contrast(colour, ground);
                    assert!(ratio >= LEAST_CONTRAST, "{colour:?} on {ground:?}: {ratio}");
                }
                assert!(contrast(style.weak, ground) >= LEAST_CONTRAST);
            }
            assert!(contrast(style.accent, panel) >= LEAST_CONTRAST_OF_LINES);
            // The shades are worth nothing if they cannot be told apart.
            assert!(contrast(style.fg, style.faint) > 2.0, "{style:?}");
        }
    }

    #[test]
    fn contrast_is_what_wcag_defines() {
        let near = |a: f32, b: f32| (a - b).abs() < 0.02;
        assert!(near(contrast(Color32::BLACK, Color32::WHITE), 21.0));
        assert!(near(contrast(Color32::WHITE, Color32::WHITE), 1.0));
        // #767676 is known as the lightest grey with 4.5 on white.
        assert!(near(contrast(Color32::from_gray(0x76), Color32::WHITE), 4.54));
        assert!(contrast(Color32::from_gray(0x77), Color32::WHITE) < 4.5);
    }

    #[test]
    fn strength_grows_with_probability_and_knows_its_ends() {
        let strengths: Vec<f32> =
            (0..=1000_u16).map(|p| strength((f32::from(p) / 1000.0).ln())).collect();
        assert!(strengths.is_sorted(), "monotone");
        assert!(strengths.iter().all(|s| (0.0..=1.0).contains(s)));
        assert!(strength(f32::NEG_INFINITY) <= 0.0 && strength(0.02_f32.ln()) < 0.001);
        assert!(strength(0.0) >= 1.0 && strength(0.9_f32.ln()) > 0.999);
        assert!(strength(1.0) >= 1.0 && strength(f32::NAN) >= 1.0);
        assert!((strength(0.5_f32.ln()) - 0.84).abs() < 0.01);
        assert!((strength(0.1_f32.ln()) - 0.42).abs() < 0.01);
    }

    #[test]
    fn a_shade_is_never_beyond_its_ends() {
        let (style, _) = style(&Visuals::light());
        assert_eq!(style.shade(-3.0), style.faint);
        assert_eq!(style.shade(0.0), style.faint);
        assert_eq!(style.shade(7.0), style.fg);
        assert_eq!(style.shade(f32::NAN), style.fg);
    }
}
