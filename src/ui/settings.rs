//! The settings dialog.

use std::path::PathBuf;

use capture::CameraState;
use egui::{ComboBox, DragValue, Label, Modal, RichText, ScrollArea, Slider, TextEdit, Ui};
use egui_material_icons::icons::{
    ICON_ADD, ICON_ARROW_UPWARD, ICON_CLOSE, ICON_DELETE, ICON_FOLDER_OPEN,
};
use values::config::{Device, Precision, Settings, Theme};

use super::theme::{Palette, space};
use super::widgets::{follow_focus, icon_button, labelled_button};
use super::{Action, Place, View, maps, status};

/// What the settings show of the system and cannot change.
#[derive(Debug, Clone, Default)]
pub struct SystemView {
    /// The models that can be chosen.
    pub models: Vec<String>,
    /// The devices of this build beside the CPU: "CUDA", "Metal".
    pub accelerator: Option<&'static str>,
    /// The data folder.
    pub data: PathBuf,
    /// The cache folder.
    pub cache: PathBuf,
    /// Where conversations are kept.
    pub history: PathBuf,
    /// The log file, where there is one.
    pub log: Option<PathBuf>,
    /// Why nothing can be read aloud, where that is so.
    pub mute: Option<String>,
    /// What drawing the window takes, once it was measured.
    pub frames: Option<String>,
}

/// Draws the dialog.
pub fn show(ui: &Ui, view: &mut View, actions: &mut Vec<Action>) {
    let before = view.settings.clone();
    let screen = ui.ctx().content_rect().size();
    let response = Modal::new(egui::Id::unique("settings")).show(ui.ctx(), |ui| {
        ui.set_width(540.0_f32.min(screen.x - 60.0));
        ui.horizontal(|ui| {
            ui.heading("Settings");
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if icon_button(ui, ICON_CLOSE, "Close the settings").clicked() {
                    actions.push(Action::CloseDialog);
                }
            });
        });
        let height = (screen.y - 150.0).max(120.0);
        ScrollArea::vertical()
            .max_height(height)
            .min_scrolled_height(height)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = space::S;
                // On the card, boxes to tick would hardly stand out by their ground alone.
                let border = egui::Stroke::new(1.0, Palette::of(ui.visuals()).border);
                ui.visuals_mut().widgets.inactive.bg_stroke = border;
                model(ui, view, actions);
                answers(ui, view);
                camera(ui, view);
                maps::show_preferences(ui, view, actions);
                appearance(ui, &mut view.settings);
                questions(ui, view);
                folders(ui, view, actions);
                follow_focus(ui);
            });
    });
    if response.should_close() {
        actions.push(Action::CloseDialog);
    }
    if view.settings != before {
        view.settings.clamp_numbers();
        actions.push(Action::SettingsChanged);
        let model =
            |settings: &Settings| (settings.model.clone(), settings.device, settings.weights);
        if model(&before) != model(&view.settings) {
            actions.push(Action::Reload);
        }
    }
}

pub(super) fn section(ui: &mut Ui, title: &str) {
    ui.add_space(space::S);
    let accent = Palette::of(ui.visuals()).accent;
    ui.label(RichText::new(title).strong().color(accent));
}

/// A row with its name at the left, which is also the name of what stands in it.
pub(super) fn row(ui: &mut Ui, name: &str, hint: &str, add: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        let width = 170.0_f32.min(ui.available_width() * 0.4);
        let label = at_left(ui, width, Label::new(name).wrap());
        if !hint.is_empty() {
            label.on_hover_text(hint);
        }
        ui.name_inputs(name, add);
    });
}

/// A label at the left of a space of this width.
fn at_left(ui: &mut Ui, width: f32, label: Label) -> egui::Response {
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    let add = |ui: &mut Ui| {
        ui.set_min_width(width);
        ui.add(label)
    };
    ui.allocate_ui_with_layout(egui::vec2(width, 24.0), layout, add).inner
}

fn model(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    section(ui, "Model");
    let settings = &mut view.settings;
    row(ui, "Model", "", |ui| {
        ComboBox::from_id_salt("model").selected_text(&settings.model).show_ui(ui, |ui| {
            for model in &view.system.models {
                ui.selectable_value(&mut settings.model, model.clone(), model);
            }
        });
    });
    row(ui, "Device", "Where the model computes", |ui| {
        let auto = match view.system.accelerator {
            Some(name) => format!("{name}, else CPU"),
            None => "CPU (this build has no other)".to_owned(),
        };
        if view.system.accelerator.is_some() {
            ComboBox::from_id_salt("device")
                .selected_text(match settings.device {
                    Device::Auto => auto.as_str(),
                    Device::Cpu => "CPU",
                })
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut settings.device, Device::Auto, &auto);
                    ui.selectable_value(&mut settings.device, Device::Cpu, "CPU");
                });
        } else {
            ui.label(auto);
        }
    });
    row(ui, "Quantisation", "How exactly the language model's matrices are held", |ui| {
        ui.selectable_value(&mut settings.weights, Precision::Q8_0, "8 bit (q8_0)")
            .on_hover_text("Small and fast");
        ui.selectable_value(&mut settings.weights, Precision::F32, "32 bit (f32)")
            .on_hover_text("The reference: more memory, slower words");
    });
    match &view.engine {
        status::EngineState::Ready(model) => {
            ui.label(RichText::new(status::describe(model)).weak());
            if let Some(card) = &model.card {
                ui.label(format!("{} {}", card.sentence, card.limits()));
                ui.label(RichText::new(format!("Licence: {}.", card.licence)).weak());
            }
        }
        status::EngineState::Failed(reason) => {
            ui.label(RichText::new(reason).color(Palette::of(ui.visuals()).bad));
            if ui.button("Load it again").clicked() {
                actions.push(Action::Reload);
            }
        }
        _ => {
            ui.label(RichText::new("Being loaded …").weak());
        }
    }
}

fn answers(ui: &mut Ui, view: &mut View) {
    section(ui, "Answers");
    let settings = &mut view.settings;
    row(ui, "Longest answer", "In tokens; a token is about three quarters of a word", |ui| {
        ui.add(DragValue::new(&mut settings.max_tokens).range(1..=4096).suffix(" tokens"));
    });
    row(ui, "Temperature", "0 takes the likeliest word each time and can be repeated", |ui| {
        ui.add(Slider::new(&mut settings.temperature, 0.0..=2.0).step_by(0.05).max_decimals(2));
    });
    row(
        ui,
        "Not sure below",
        "An answer says so where the label encoder gives what it names a smaller chance; where it \
         names nothing that is seen, where its tokens are less likely on average",
        |ui| {
            let percent = |value: f64, _| format!("{:.0} %", value * 100.0);
            ui.add(Slider::new(&mut settings.unsure_below, 0.0..=1.0).custom_formatter(percent));
        },
    );
    ui.checkbox(&mut settings.evidence, "Tell the model what the specialists see in a picture")
        .on_hover_text(
            "Names and colours found by small networks, put before the question. A model that was \
             made for it names almost nothing without.",
        );
    ui.checkbox(&mut settings.look_ahead, "Look at a picture before it is asked about")
        .on_hover_text(
            "The first word of an answer comes sooner, for some processor time after each picture \
             that is shown. Never done on battery, nor for a live picture.",
        );
    ui.checkbox(&mut settings.details, "Show tokens and probabilities of every answer");
    let speech = view.system.mute.is_none();
    ui.add_enabled(speech, egui::Checkbox::new(&mut settings.read_aloud, "Read answers aloud"));
    if let Some(mute) = &view.system.mute {
        ui.label(RichText::new(mute).weak());
    }
}

fn camera(ui: &mut Ui, view: &mut View) {
    section(ui, "Camera and live mode");
    let settings = &mut view.settings;
    ui.checkbox(&mut settings.camera.on, "Use the camera");
    row(ui, "Camera", "", |ui| {
        let first = "The first there is";
        let name = settings.camera.name.clone().unwrap_or_else(|| first.to_owned());
        ComboBox::from_id_salt("camera").selected_text(name).show_ui(ui, |ui| {
            ui.selectable_value(&mut settings.camera.name, None, first);
            for device in &view.camera.devices {
                let name = Some(device.name.clone());
                ui.selectable_value(&mut settings.camera.name, name, &device.name);
            }
        });
    });
    row(ui, "Size", "Larger pictures show more and cost more", |ui| {
        let text = |size: Option<(u32, u32)>| match size {
            Some((width, height)) => format!("{width} × {height}"),
            None => "Near 1280 × 720".to_owned(),
        };
        ComboBox::from_id_salt("size").selected_text(text(settings.camera.size)).show_ui(
            ui,
            |ui| {
                ui.selectable_value(&mut settings.camera.size, None, text(None));
                for size in &view.camera.sizes {
                    ui.selectable_value(&mut settings.camera.size, Some(*size), text(Some(*size)));
                }
            },
        );
    });
    ui.checkbox(&mut settings.camera.mirror, "Show it as in a mirror")
        .on_hover_text("On the screen only: the model sees the true picture");
    if let CameraState::Live { device, format } = &view.camera.state {
        let text = format!("{}: {format}", device.name);
        ui.label(RichText::new(text).weak());
    } else if let Some(trouble) = super::camera::trouble(&view.camera.state) {
        ui.label(RichText::new(format!("{}. {}", trouble.title, trouble.advice)).weak());
    }
    row(ui, "Live mode asks", "At most this often, and only when the scene has changed", |ui| {
        let live = &mut settings.live.interval;
        ui.add(Slider::new(live, 1.0..=60.0).step_by(1.0).logarithmic(true).suffix(" s"));
    });
    row(ui, "Scene has changed", "How much must change before live mode asks again", |ui| {
        let percent = |value: f64, _| format!("{:.1} %", value * 100.0);
        let change = &mut settings.live.threshold;
        ui.add(Slider::new(change, 0.002..=0.5).logarithmic(true).custom_formatter(percent));
    });
}

fn appearance(ui: &mut Ui, settings: &mut Settings) {
    section(ui, "Appearance");
    row(ui, "Theme", "", |ui| {
        ui.selectable_value(&mut settings.theme, Theme::System, "As the system");
        ui.selectable_value(&mut settings.theme, Theme::Light, "Light");
        ui.selectable_value(&mut settings.theme, Theme::Dark, "Dark");
    });
    row(ui, "Text size", "", |ui| {
        let percent = |value: f64, _| format!("{:.0} %", value * 100.0);
        // Changing it while it is dragged would move the slider under the pointer.
        let id = ui.scope_id().with("text_size");
        let mut size = ui.data(|data| data.get_temp(id)).unwrap_or(settings.text_size);
        let slider = Slider::new(&mut size, 0.75..=2.5).step_by(0.05).custom_formatter(percent);
        let response = ui.add(slider);
        if response.dragged() {
            ui.data_mut(|data| data.insert_temp(id, size));
        } else {
            ui.data_mut(|data| data.remove::<f32>(id));
            if response.changed() || response.drag_stopped() {
                settings.text_size = size;
            }
        }
    });
}

fn questions(ui: &mut Ui, view: &mut View) {
    section(ui, "Questions to choose from");
    // Those of the model become the user's own with the first change.
    let mut presets = view.questions().to_vec();
    let mut removed = None;
    let mut raised = None;
    for (index, question) in presets.iter_mut().enumerate() {
        ui.horizontal(|ui| {
            let width = (ui.available_width() - 90.0).max(100.0);
            let edit = TextEdit::singleline(question).desired_width(width).char_limit(200);
            ui.add(edit).accessible_name(format!("Question {}", index + 1));
            ui.add_enabled_ui(index > 0, |ui| {
                if icon_button(ui, ICON_ARROW_UPWARD, &format!("Move question {} up", index + 1))
                    .clicked()
                {
                    raised = Some(index);
                }
            });
            if icon_button(ui, ICON_DELETE, &format!("Remove question {}", index + 1)).clicked() {
                removed = Some(index);
            }
        });
    }
    if let Some(index) = raised {
        presets.swap(index, index - 1);
    }
    if let Some(index) = removed {
        presets.remove(index);
    }
    ui.horizontal(|ui| {
        if labelled_button(ui, ICON_ADD, "Add a question").clicked() {
            presets.push("New question".to_owned());
        }
        if presets != view.questions() {
            view.settings.presets = presets;
        }
        if ui.button("The usual ones").clicked() {
            view.settings.presets = Settings::default().presets;
        }
    });
}

fn folders(ui: &mut Ui, view: &mut View, actions: &mut Vec<Action>) {
    section(ui, "Folders and privacy");
    ui.add(
        Label::new(
            RichText::new(
                "Pictures, questions and answers stay in these folders, on this machine. \
                 The log never holds any of them.",
            )
            .weak(),
        )
        .wrap(),
    );
    let path = |ui: &mut Ui, path: &std::path::Path| {
        let text = path.display().to_string();
        let width = (ui.available_width() - 100.0).max(80.0);
        at_left(ui, width, Label::new(&text).truncate()).on_hover_text(text);
    };
    ui.checkbox(&mut view.settings.export_text, "Export the text that was read in pictures")
        .on_hover_text("Signs and letters are private; without it, a replay may answer otherwise");
    row(ui, "Conversations", "", |ui| {
        path(ui, &view.system.history);
        if ui.button("Change …").clicked() {
            actions.push(Action::ChooseHistoryFolder);
        }
    });
    row(ui, "Data", "", |ui| {
        path(ui, &view.system.data);
        if icon_button(ui, ICON_FOLDER_OPEN, "Show the data folder").clicked() {
            actions.push(Action::Reveal(Place::Data));
        }
    });
    row(ui, "Cache", "Unpacked models; made again when deleted", |ui| {
        path(ui, &view.system.cache);
    });
    if let Some(log) = &view.system.log {
        row(ui, "Log", "", |ui| {
            path(ui, log);
            if icon_button(ui, ICON_FOLDER_OPEN, "Show the log").clicked() {
                actions.push(Action::Reveal(Place::Log));
            }
        });
    }
    if let Some(frames) = &view.system.frames {
        row(
            ui,
            "Drawing",
            "Processor time of the window's own thread for the logic and layout of each frame",
            |ui| {
                ui.label(frames);
            },
        );
    }
}
