//! How everything looks: the only place with colours, sizes and distances.
//!
//! Text keeps a contrast of at least 4.5 to 1 against every ground it stands on, and what is drawn
//! of controls at least 3 to 1 (WCAG 2.2, success criteria 1.4.3 and 1.4.11); tests hold this.

use std::sync::Arc;

use egui::{
    Color32, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, Style, TextStyle, Vec2,
    Visuals,
};

/// The scale of distances, in points: every gap is one of these.
pub mod space {
    /// Between an icon and its word.
    pub const XS: f32 = 4.0;
    /// Between controls that belong together.
    pub const S: f32 = 8.0;
    /// Between groups; the margin inside a card.
    pub const M: f32 = 12.0;
    /// The margin of a panel.
    pub const L: f32 = 16.0;
    /// Around what stands alone.
    pub const XL: f32 = 32.0;
}

/// Corners of cards and of the picture, in points.
pub const ROUND: u8 = 10;
/// Corners of buttons and fields, in points.
pub const ROUND_SMALL: u8 = 7;
/// Least side of anything to be clicked, in points (WCAG 2.2, 2.5.8, asks for 24).
pub const TOUCH: f32 = 30.0;
/// Size of the icons in buttons, in points.
pub const ICON: f32 = 18.0;

/// The colours of one theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// Whether light text stands on dark ground.
    pub dark: bool,
    /// The ground of the window.
    pub ground: Color32,
    /// The ground of the sidebar and of bars.
    pub panel: Color32,
    /// The ground of cards and fields.
    pub card: Color32,
    /// The ground of buttons at rest.
    pub button: Color32,
    /// The ground of buttons under the pointer.
    pub button_hover: Color32,
    /// Lines between things.
    pub line: Color32,
    /// Borders of controls.
    pub border: Color32,
    /// Text.
    pub text: Color32,
    /// Text of less weight.
    pub weak: Color32,
    /// What stands out: the brass of the lorgnette.
    pub accent: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// All is well.
    pub good: Color32,
    /// Look here.
    pub warn: Color32,
    /// Something failed.
    pub bad: Color32,
    /// Behind the picture.
    pub stage: Color32,
}

/// Light text on dark ground.
pub const DARK: Palette = Palette {
    dark: true,
    ground: Color32::from_rgb(0x17, 0x18, 0x1b),
    panel: Color32::from_rgb(0x1d, 0x1f, 0x23),
    card: Color32::from_rgb(0x25, 0x27, 0x2c),
    button: Color32::from_rgb(0x2e, 0x31, 0x37),
    button_hover: Color32::from_rgb(0x3a, 0x3e, 0x46),
    line: Color32::from_rgb(0x33, 0x36, 0x3c),
    border: Color32::from_rgb(0x7d, 0x80, 0x87),
    text: Color32::from_rgb(0xec, 0xea, 0xe4),
    weak: Color32::from_rgb(0xb4, 0xb2, 0xab),
    accent: Color32::from_rgb(0xe5, 0xb9, 0x5f),
    on_accent: Color32::from_rgb(0x1f, 0x18, 0x08),
    good: Color32::from_rgb(0x7f, 0xc8, 0x9a),
    warn: Color32::from_rgb(0xf0, 0xa8, 0x5c),
    bad: Color32::from_rgb(0xf5, 0x96, 0x8c),
    stage: Color32::from_rgb(0x0f, 0x10, 0x12),
};

/// Dark text on light ground.
pub const LIGHT: Palette = Palette {
    dark: false,
    ground: Color32::from_rgb(0xfb, 0xfa, 0xf7),
    panel: Color32::from_rgb(0xf2, 0xf0, 0xea),
    card: Color32::from_rgb(0xff, 0xff, 0xff),
    button: Color32::from_rgb(0xe8, 0xe5, 0xdd),
    button_hover: Color32::from_rgb(0xdb, 0xd7, 0xcc),
    line: Color32::from_rgb(0xdd, 0xd9, 0xcf),
    border: Color32::from_rgb(0x85, 0x80, 0x74),
    text: Color32::from_rgb(0x22, 0x20, 0x1c),
    weak: Color32::from_rgb(0x58, 0x54, 0x4b),
    accent: Color32::from_rgb(0x7d, 0x55, 0x0c),
    on_accent: Color32::from_rgb(0xff, 0xff, 0xff),
    good: Color32::from_rgb(0x1d, 0x6b, 0x3c),
    warn: Color32::from_rgb(0x8f, 0x4a, 0x06),
    bad: Color32::from_rgb(0xa8, 0x2a, 0x20),
    stage: Color32::from_rgb(0xe6, 0xe3, 0xdb),
};

impl Palette {
    /// The palette that `ui` is drawn in.
    pub fn of(visuals: &Visuals) -> Self {
        if visuals.dark_mode { DARK } else { LIGHT }
    }

    /// Behind what is selected.
    fn selected(&self) -> Color32 {
        self.card.lerp_to_gamma(self.accent, 0.35)
    }

    fn visuals(&self) -> Visuals {
        let mut visuals = if self.dark { Visuals::dark() } else { Visuals::light() };
        let small = CornerRadius::same(ROUND_SMALL);
        visuals.panel_fill = self.ground;
        visuals.window_fill = self.card;
        visuals.window_stroke = Stroke::new(1.0, self.line);
        visuals.window_corner_radius = CornerRadius::same(ROUND);
        visuals.menu_corner_radius = small;
        visuals.faint_bg_color = self.panel;
        visuals.extreme_bg_color = self.card;
        visuals.text_edit_bg_color = Some(self.card);
        visuals.code_bg_color = self.button;
        visuals.hyperlink_color = self.accent;
        visuals.warn_fg_color = self.warn;
        visuals.error_fg_color = self.bad;
        visuals.weak_text_color = Some(self.weak);
        visuals.selection.bg_fill = self.selected();
        visuals.selection.stroke = Stroke::new(1.5, self.text);
        visuals.slider_trailing_fill = true;
        visuals.disabled_alpha = 0.6;
        let shadow = Shadow {
            offset: [0, 6],
            blur: 18,
            spread: 0,
            color: Color32::from_black_alpha(if self.dark { 110 } else { 40 }),
        };
        visuals.window_shadow = shadow;
        visuals.popup_shadow = shadow;
        let widgets = &mut visuals.widgets;
        for (widget, fill, stroke) in [
            (&mut widgets.noninteractive, self.ground, self.line),
            (&mut widgets.inactive, self.button, Color32::TRANSPARENT),
            (&mut widgets.hovered, self.button_hover, self.border),
            (&mut widgets.active, self.button_hover, self.accent),
            (&mut widgets.open, self.button_hover, self.border),
        ] {
            widget.bg_fill = fill;
            widget.weak_bg_fill = fill;
            widget.bg_stroke = Stroke::new(1.0, stroke);
            widget.fg_stroke = Stroke::new(1.2, self.text);
            widget.corner_radius = small;
            widget.expansion = 0.0;
        }
        visuals
    }
}

fn style(palette: &Palette, mut style: Style) -> Style {
    style.visuals = palette.visuals();
    let font = |size| FontId::new(size, FontFamily::Proportional);
    style.text_styles = [
        (TextStyle::Small, font(12.0)),
        (TextStyle::Body, font(14.5)),
        (TextStyle::Button, font(14.5)),
        (TextStyle::Heading, font(20.0)),
        (TextStyle::Monospace, FontId::new(13.5, FontFamily::Monospace)),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::splat(space::S);
    spacing.button_padding = Vec2::new(10.0, 5.0);
    spacing.interact_size = Vec2::new(40.0, TOUCH);
    spacing.window_margin = Margin::same(space::L as i8);
    spacing.menu_margin = Margin::same(space::S as i8);
    spacing.text_edit_width = 320.0;
    spacing.slider_width = 180.0;
    spacing.combo_width = 180.0;
    spacing.tooltip_width = 320.0;
    style.interaction.tooltip_delay = 0.4;
    style
}

/// Gives `ctx` both themes and the icons. What the user chose of them comes with the settings.
pub fn install(ctx: &egui::Context) {
    egui_material_icons::initialize(ctx);
    for (theme, palette) in [(egui::Theme::Dark, DARK), (egui::Theme::Light, LIGHT)] {
        ctx.set_style_of(theme, Arc::new(style(&palette, Style::default())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::contrast;

    #[test]
    fn text_can_be_read_on_every_ground() {
        for palette in [DARK, LIGHT] {
            let grounds = [palette.ground, palette.panel, palette.card, palette.button];
            for ground in grounds {
                for text in [palette.text, palette.weak, palette.accent] {
                    assert!(contrast(text, ground) >= 4.5, "{text:?} on {ground:?}");
                }
                for text in [palette.good, palette.warn, palette.bad] {
                    assert!(contrast(text, ground) >= 4.5, "{text:?} on {ground:?}");
                }
            }
            assert!(contrast(palette.text, palette.button_hover) >= 4.5);
            assert!(contrast(palette.text, palette.selected()) >= 4.5);
            assert!(contrast(palette.text, palette.stage) >= 4.5);
            assert!(contrast(palette.weak, palette.stage) >= 4.5);
            assert!(contrast(palette.on_accent, palette.accent) >= 4.5);
        }
    }

    #[test]
    fn borders_of_controls_can_be_seen() {
        for palette in [DARK, LIGHT] {
            for ground in [palette.ground, palette.panel, palette.card] {
                assert!(
                    contrast(palette.border, ground) >= 3.0,
                    "{:?} on {ground:?}",
                    palette.dark
                );
            }
        }
    }
}
