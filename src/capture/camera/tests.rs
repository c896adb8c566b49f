//! The camera's threads over a fake machine, whose cameras can be pulled out, taken, broken and hung.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use PixelFormat::{Mjpeg, Nv12, Rgb, Yuyv};

use super::device::{Devices, Reader, Trouble};
use super::pixels::Raw;
use super::*;

/// Short enough for a test, long enough for a busy machine to tell them apart.
const TIMES: Times = Times {
    retry: Duration::from_millis(20),
    hang: Duration::from_millis(400),
    list: Duration::from_millis(10),
    close: Duration::from_millis(200),
};
/// Until a test gives up waiting.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is wrong with a pixel format of the fake cameras.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Refused,
    Garbage,
    Hangs,
    Panics,
}

#[derive(Default)]
struct World {
    cameras: Vec<(u32, &'static str)>,
    faults: HashMap<PixelFormat, Fault>,
    trouble: Option<Trouble>,
    /// Whether `unstick` frees a thread.
    frees: bool,
    freed: usize,
    /// Every opening that was tried.
    opened: Vec<(u32, CameraFormatInfo)>,
    running: usize,
    most_running: usize,
}

#[derive(Clone, Default)]
struct Fake(Arc<(Mutex<World>, Condvar)>);

impl Fake {
    fn with(cameras: &[(u32, &'static str)]) -> Self {
        let fake = Self::default();
        fake.set(|world| world.cameras = cameras.to_vec());
        fake
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.0.0.lock().unwrap()
    }

    fn set(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.lock());
        self.0.1.notify_all();
    }

    fn fault(&self, pixels: PixelFormat, fault: Option<Fault>) {
        self.set(|world| match fault {
            Some(fault) => drop(world.faults.insert(pixels, fault)),
            None => drop(world.faults.remove(&pixels)),
        });
    }
}

const MODES: [CameraFormatInfo; 5] = [
    CameraFormatInfo { pixels: Mjpeg, width: 12, height: 8, fps: 30 },
    CameraFormatInfo { pixels: Mjpeg, width: 6, height: 4, fps: 30 },
    CameraFormatInfo { pixels: Yuyv, width: 12, height: 8, fps: 30 },
    CameraFormatInfo { pixels: Nv12, width: 12, height: 8, fps: 30 },
    CameraFormatInfo { pixels: Rgb, width: 12, height: 8, fps: 30 },
];

impl Devices for Fake {
    fn list(&self) -> Result<Vec<CameraDevice>, String> {
        let device = |&(index, name): &(u32, &str)| CameraDevice { index, name: name.to_owned() };
        Ok(self.lock().cameras.iter().map(device).collect())
    }

    fn modes(&self, _index: u32) -> Result<Vec<CameraFormatInfo>, Trouble> {
        Ok(MODES.to_vec())
    }

    fn open(&self, index: u32, mode: CameraFormatInfo) -> Result<Box<dyn Reader>, Trouble> {
        let mut world = self.lock();
        world.opened.push((index, mode));
        if let Some(trouble) = &world.trouble {
            return Err(trouble.clone());
        }
        if world.faults.get(&mode.pixels) == Some(&Fault::Refused) {
            return Err(Trouble::Mode("refused".to_owned()));
        }
        world.running += 1;
        world.most_running = world.most_running.max(world.running);
        Ok(Box::new(FakeReader { fake: self.clone(), index, mode, value: 0 }))
    }

    fn unstick(&self, _index: u32) {
        self.set(|world| world.freed += 1);
    }
}

struct FakeReader {
    fake: Fake,
    index: u32,
    mode: CameraFormatInfo,
    value: u8,
}

impl Reader for FakeReader {
    fn mode(&self) -> CameraFormatInfo {
        self.mode
    }

    fn read(&mut self, see: &mut dyn FnMut(&Raw<'_>)) -> Result<(), Trouble> {
        std::thread::sleep(Duration::from_millis(1));
        let mut world = self.fake.lock();
        let freed = world.freed;
        let fault = loop {
            if !world.cameras.iter().any(|&(index, _)| index == self.index) {
                return Err(Trouble::Gone);
            }
            match world.faults.get(&self.mode.pixels) {
                Some(Fault::Hangs) if world.frees && world.freed > freed => {
                    return Err(Trouble::Mode("freed".to_owned()));
                }
                Some(Fault::Hangs) => world = self.fake.0.1.wait(world).unwrap(),
                fault => break fault.copied(),
            }
        };
        drop(world);
        assert!(fault != Some(Fault::Panics), "the driver's crate panics");
        self.value = self.value.wrapping_add(1);
        let CameraFormatInfo { width, height, .. } = self.mode;
        let bytes = if fault == Some(Fault::Garbage) { 1 } else { width * height };
        let data = vec![self.value; bytes as usize];
        see(&Raw { data: &data, pixels: PixelFormat::Gray, width, height, stride: 0 });
        Ok(())
    }
}

impl Drop for FakeReader {
    fn drop(&mut self) {
        self.fake.set(|world| world.running -= 1);
    }
}

fn start(fake: &Fake) -> Camera {
    Camera::with(Arc::new(fake.clone()), TIMES, || ()).unwrap()
}

fn named(name: &str) -> CameraChoice {
    CameraChoice { name: Some(name.to_owned()), size: None }
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits for a live camera and a frame of it.
fn live(camera: &Camera) -> (CameraDevice, CameraFormatInfo, Frame) {
    let begun = Instant::now();
    loop {
        if let (CameraState::Live { device, format }, Some(frame)) =
            (camera.state(), camera.newest())
        {
            return (device, format, frame);
        }
        assert!(begun.elapsed() < PATIENCE, "never live: {:?}", camera.state());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn reaches(camera: &Camera, state: &CameraState) {
    let begun = Instant::now();
    while camera.state() != *state {
        assert!(begun.elapsed() < PATIENCE, "{:?}, not {state:?}", camera.state());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_camera_goes_live_and_off_again() {
    let fake = Fake::with(&[(0, "Cam"), (4, "Cam")]);
    let wakes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&wakes);
    let camera = Camera::with(Arc::new(fake.clone()), TIMES, move || {
        count.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    until("a list", || camera.has_looked());
    assert_eq!(camera.state(), CameraState::Off);
    let names: Vec<_> = camera.devices().into_iter().map(|device| device.name).collect();
    assert_eq!(names, ["Cam", "Cam (2)"]);
    assert!(fake.lock().opened.is_empty(), "nothing is switched on unasked");

    camera.watch(Some(CameraChoice::default()));
    let (device, format, frame) = live(&camera);
    assert_eq!((device.index, format), (0, MODES[0]));
    assert_eq!((frame.width(), frame.height()), (12, 8));
    assert_eq!(frame.source, values::frame::Source::Camera("Cam".to_owned()));
    assert_eq!(camera.sizes(), [(12, 8), (6, 4)]);
    until("another frame", || camera.newest().is_some_and(|newer| newer.id > frame.id));
    assert!(wakes.load(Ordering::Relaxed) >= 4);
    // The same wish again changes nothing.
    camera.watch(Some(CameraChoice::default()));
    assert!(matches!(camera.state(), CameraState::Live { .. }));

    camera.watch(None);
    assert_eq!(camera.state(), CameraState::Off);
    assert!(camera.sizes().is_empty());
    until("closed", || fake.lock().running == 0);
    assert!(camera.newest().is_none());
    assert_eq!(camera.state(), CameraState::Off);
}

#[test]
fn modes_are_tried_until_one_delivers() {
    let fake = Fake::with(&[(0, "Cam")]);
    fake.fault(Mjpeg, Some(Fault::Refused));
    fake.fault(Yuyv, Some(Fault::Garbage));
    fake.fault(Nv12, Some(Fault::Hangs));
    let camera = start(&fake);
    camera.watch(Some(CameraChoice::default()));
    let (_, format, _) = live(&camera);
    assert_eq!(format, MODES[4]);
    let opened: Vec<_> = fake.lock().opened.iter().map(|(_, mode)| mode.pixels).collect();
    assert_eq!(opened, [Mjpeg, Yuyv, Nv12, Rgb], "what failed is not tried again");
    assert_eq!(fake.lock().freed, 1, "the hanging thread was to be freed");
}

#[test]
fn only_the_format_that_is_asked_for_is_tried() {
    let fake = Fake::with(&[(0, "Cam")]);
    let camera = start(&fake);
    camera.watch_as(CameraChoice::default(), Some(Nv12));
    assert_eq!(live(&camera).1, MODES[3]);
    camera.watch_as(CameraChoice::default(), Some(PixelFormat::Bgr));
    reaches(&camera, &CameraState::Failed("it offers no BGR".to_owned()));
    assert!(camera.has_tried_all());
}

#[test]
fn a_camera_that_others_hold_comes_when_they_let_go() {
    let held =
        [(Trouble::Busy, CameraState::Busy("Cam".into())), (Trouble::Denied, CameraState::Denied)];
    for (trouble, state) in held {
        let fake = Fake::with(&[(0, "Cam")]);
        fake.set(|world| world.trouble = Some(trouble));
        let camera = start(&fake);
        camera.watch(Some(CameraChoice::default()));
        reaches(&camera, &state);
        // Waiting is told apart from trying every mode in vain.
        assert!(!camera.has_tried_all());
        fake.set(|world| world.trouble = None);
        live(&camera);
    }
}

#[test]
fn a_camera_may_be_pulled_out_and_put_in() {
    let fake = Fake::with(&[]);
    let camera = start(&fake);
    camera.watch(Some(CameraChoice::default()));
    reaches(&camera, &CameraState::Missing);
    fake.set(|world| world.cameras = vec![(2, "Cam")]);
    assert_eq!(live(&camera).0.index, 2);

    fake.set(|world| world.cameras.clear());
    reaches(&camera, &CameraState::Lost("Cam".into()));
    assert!(camera.sizes().is_empty());
    until("unlisted", || camera.devices().is_empty());
    fake.set(|world| world.cameras = vec![(3, "Cam")]);
    assert_eq!(live(&camera).0.index, 3);

    // With none chosen, another camera takes over.
    fake.set(|world| world.cameras = vec![(7, "Other")]);
    until("the other", || live(&camera).0.index == 7);
}

#[test]
fn a_chosen_camera_is_waited_for() {
    let fake = Fake::with(&[(0, "Other")]);
    let camera = start(&fake);
    camera.watch(Some(named("Cam")));
    reaches(&camera, &CameraState::Lost("Cam".into()));
    fake.set(|world| world.cameras.push((1, "Cam")));
    assert_eq!(live(&camera).0.index, 1);
    assert!(fake.lock().opened.iter().all(|&(index, _)| index == 1));
}

#[test]
fn a_camera_that_hangs_is_freed_and_started_again() {
    let fake = Fake::with(&[(0, "Cam")]);
    fake.set(|world| world.frees = true);
    let camera = start(&fake);
    camera.watch(Some(CameraChoice::default()));
    live(&camera);
    fake.fault(Mjpeg, Some(Fault::Hangs));
    until("it is noticed", || matches!(camera.state(), CameraState::Failed(_)));
    // Another mode takes over, as it hung soon after its start.
    assert_eq!(live(&camera).1, MODES[2]);
    assert_eq!(fake.lock().most_running, 1, "the old stream ended before the new one began");
}

#[test]
fn a_driver_that_hangs_for_good_holds_nobody_up() {
    let fake = Fake::with(&[(0, "Cam")]);
    for pixels in [Mjpeg, Yuyv, Nv12, Rgb] {
        fake.fault(pixels, Some(Fault::Hangs));
    }
    let camera = start(&fake);
    camera.watch(Some(CameraChoice::default()));
    until("no further thread is risked", || camera.has_tried_all());
    assert_eq!(fake.lock().running, 4);
    let begun = Instant::now();
    camera.watch(None);
    assert_eq!(camera.state(), CameraState::Off);
    drop(camera);
    assert!(begun.elapsed() < PATIENCE / 4);

    let camera = start(&fake);
    camera.watch(Some(CameraChoice::default()));
    until("it hangs", || fake.lock().running == 5);
    let begun = Instant::now();
    drop(camera);
    assert!(begun.elapsed() < PATIENCE / 4);
    // Pulled out, it lets go of every thread.
    fake.set(|world| world.cameras.clear());
    until("all threads ended", || fake.lock().running == 0);
}

#[test]
fn cameras_and_sizes_are_swapped_while_running() {
    let fake = Fake::with(&[(0, "Cam"), (1, "Other")]);
    let camera = start(&fake);
    camera.watch(Some(named("Cam")));
    live(&camera);
    for round in 0..20 {
        let name = if round % 2 == 0 { "Other" } else { "Cam" };
        camera.watch(Some(named(name)));
        assert_eq!(camera.state(), CameraState::Starting);
        let (device, _, frame) = live(&camera);
        assert_eq!(device.name, name);
        assert_eq!(frame.source.name(), name, "no frame of the old camera");
    }
    camera.watch(Some(CameraChoice { name: Some("Cam".into()), size: Some((6, 4)) }));
    let (_, format, frame) = live(&camera);
    assert_eq!((format, frame.width()), (MODES[1], 6));
    assert_eq!(fake.lock().most_running, 1, "one camera at a time");
}

#[test]
fn a_panic_in_a_dependency_is_a_mode_that_does_not_work() {
    let fake = Fake::with(&[(0, "Cam")]);
    fake.fault(Mjpeg, Some(Fault::Panics));
    let camera = start(&fake);
    camera.watch(Some(CameraChoice::default()));
    assert_eq!(live(&camera).1, MODES[2]);
    fake.fault(Yuyv, Some(Fault::Panics));
    until(
        "it is told",
        || matches!(camera.state(), CameraState::Failed(why) if why.contains("crate panics")),
    );
}

#[test]
fn a_camera_none_of_whose_modes_works_is_tried_again() {
    let fake = Fake::with(&[(0, "Cam")]);
    for pixels in [Mjpeg, Yuyv, Nv12, Rgb] {
        fake.fault(pixels, Some(Fault::Refused));
    }
    let camera = start(&fake);
    camera.watch(Some(CameraChoice::default()));
    reaches(&camera, &CameraState::Failed("refused".into()));
    until("all were tried", || camera.has_tried_all());
    fake.fault(Yuyv, None);
    assert_eq!(live(&camera).1, MODES[2]);
    assert!(!camera.has_tried_all());
}

#[test]
fn one_picture_is_taken_after_a_moment() {
    let fake = Fake::with(&[(3, "Cam")]);
    let take = |index, seconds| {
        picture(Arc::new(fake.clone()), TIMES, index, Duration::from_millis(seconds))
    };
    let frame = take(3, 20_000).unwrap();
    assert!(frame.pixels.as_raw()[0] > 1, "not the first frame");
    until("closed", || fake.lock().running == 0);
    assert_eq!(take(0, 20_000).unwrap_err(), CameraError::NotThere { index: 0 });

    fake.set(|world| world.trouble = Some(Trouble::Busy));
    assert_eq!(take(3, 20_000).unwrap_err(), CameraError::Busy { name: "Cam".into() });
    fake.set(|world| world.trouble = Some(Trouble::Denied));
    assert_eq!(take(3, 20_000).unwrap_err(), CameraError::Denied { name: "Cam".into() });
    fake.set(|world| world.trouble = Some(Trouble::Gone));
    assert_eq!(take(3, 20_000).unwrap_err(), CameraError::Lost { name: "Cam".into() });
    fake.set(|world| world.trouble = None);

    fake.fault(Mjpeg, Some(Fault::Hangs));
    assert!(take(3, 20_000).is_ok(), "another mode takes over");
    fake.fault(Yuyv, Some(Fault::Hangs));
    fake.fault(Nv12, Some(Fault::Hangs));
    fake.fault(Rgb, Some(Fault::Hangs));
    let slow = take(3, 300).unwrap_err();
    assert_eq!(slow, CameraError::TooSlow { name: "Cam".into(), seconds: 0 });
    for pixels in [Mjpeg, Yuyv, Nv12, Rgb] {
        fake.fault(pixels, Some(Fault::Refused));
    }
    let failed = CameraError::Failed { name: "Cam".into(), reason: "refused".into() };
    assert_eq!(take(3, 20_000).unwrap_err(), failed);
    fake.set(|world| world.cameras.clear());
    assert_eq!(take(3, 20_000).unwrap_err(), CameraError::Missing);
}
