use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::*;

const OTHER: Lane = Lane::new(1);

/// What the thread of these tests is to do.
enum Job {
    /// Tell this.
    Say(u32),
    /// Tell this in place of what is not taken, from 100 on.
    SayInstead(u32),
    /// Wait for a word.
    Wait,
    /// Tell from this on until it is not wanted.
    Count(u32),
    Panic,
}

/// Notes what it has told and how often it was made.
struct Teller {
    /// Says that a job which waits has begun.
    begun: SyncSender<()>,
    go_on: Arc<Mutex<Receiver<()>>>,
    told: Arc<Mutex<Vec<u32>>>,
    idle: Vec<Rest>,
}

impl Teller {
    fn note(&self, number: u32, heard: bool) {
        if heard {
            self.told.lock().unwrap().push(number);
        }
    }
}

impl Work for Teller {
    type Job = Job;
    type News = u32;

    fn work(&mut self, job: Job, desk: &Desk<'_, Job, u32>) {
        match job {
            Job::Say(number) => self.note(number, desk.tell(number)),
            Job::SayInstead(number) => {
                self.note(number, desk.tell_instead(number, |old| *old >= 100));
            }
            Job::Wait => {
                self.begun.send(()).unwrap();
                self.go_on.lock().unwrap().recv().unwrap();
            }
            Job::Count(mut number) => {
                while desk.tell(number) {
                    self.note(number, true);
                    number += 1;
                }
                assert!(!desk.is_wanted());
                self.begun.send(()).unwrap();
            }
            Job::Panic => panic!("as it was told"),
        }
    }

    fn idle(&mut self, desk: &Desk<'_, Job, u32>) -> Rest {
        match self.idle.pop() {
            Some(rest) => {
                desk.tell(1000);
                rest
            }
            None => Rest::Job,
        }
    }
}

/// A thread with the ends that a test holds.
struct Bench {
    worker: Worker<Job, u32>,
    begun: Receiver<()>,
    go_on: SyncSender<()>,
    told: Arc<Mutex<Vec<u32>>>,
    made: Arc<AtomicUsize>,
    woken: Receiver<()>,
}

fn bench(most: usize, idle: &[Rest]) -> Bench {
    let (starts, begun) = sync_channel(16);
    let (go_on, word) = sync_channel(16);
    let (wake, woken) = sync_channel(1);
    let (word, idle) = (Arc::new(Mutex::new(word)), idle.to_vec());
    let (told, made) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let (own_told, own_made) = (Arc::clone(&told), Arc::clone(&made));
    let teller = move |_: &Desk<'_, Job, u32>| {
        own_made.fetch_add(1, Ordering::Relaxed);
        let (begun, go_on, told) = (starts.clone(), Arc::clone(&word), Arc::clone(&own_told));
        Teller { begun, go_on, told, idle: idle.clone() }
    };
    let wake = move || {
        let _ = wake.try_send(());
    };
    let worker = Worker::start("test", most, teller, wake).unwrap();
    Bench { worker, begun, go_on, told, made, woken }
}

impl Bench {
    fn send(&self, job: Job) {
        assert!(self.worker.send(Lane::LASTING, job).is_ok());
    }

    /// Has it wait, so that what is sent now lies there.
    fn hold(&self, lane: Lane) {
        assert!(self.worker.send(lane, Job::Wait).is_ok());
        self.begun.recv().unwrap();
    }

    fn hear(&self) -> u32 {
        self.until(Worker::news)
    }

    fn trouble(&self) -> Trouble {
        self.until(Worker::trouble)
    }

    fn until<T>(&self, take: impl Fn(&Worker<Job, u32>) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_mins(1);
        while Instant::now() < end {
            if let Some(taken) = take(&self.worker) {
                return taken;
            }
            let _ = self.woken.recv_timeout(Duration::from_millis(50));
        }
        panic!("nothing came");
    }
}

#[test]
fn jobs_are_done_in_order() {
    let bench = bench(64, &[]);
    for number in 0..50 {
        bench.send(Job::Say(number));
    }
    for number in 0..50 {
        assert_eq!(bench.hear(), number);
    }
}

#[test]
fn a_lane_that_is_replaced_or_forgotten_is_not_heard_of() {
    let bench = bench(64, &[]);
    // News that nobody has taken, a job under way and one that waits: all three go out of date.
    assert!(bench.worker.send(OTHER, Job::Say(1)).is_ok());
    bench.hold(OTHER);
    assert!(bench.worker.send(OTHER, Job::Say(2)).is_ok());
    bench.send(Job::Say(3));
    assert!(bench.worker.replace(OTHER, Job::Say(4)).is_ok());
    assert_eq!(bench.worker.waiting(), 2);
    bench.go_on.send(()).unwrap();
    assert_eq!((bench.hear(), bench.hear()), (3, 4));

    assert!(bench.worker.send(OTHER, Job::Count(10)).is_ok());
    assert_eq!(bench.hear(), 10);
    bench.worker.forget(OTHER);
    bench.begun.recv().unwrap();
    bench.send(Job::Say(5));
    assert_eq!(bench.hear(), 5);
}

#[test]
fn what_there_is_no_room_for_comes_back() {
    let bench = bench(2, &[]);
    bench.hold(Lane::LASTING);
    bench.send(Job::Say(1));
    bench.send(Job::Say(2));
    let refused = bench.worker.send(Lane::LASTING, Job::Say(3));
    assert!(matches!(refused, Err(Refused::Full(Job::Say(3)))));
    bench.go_on.send(()).unwrap();
    assert_eq!((bench.hear(), bench.hear()), (1, 2));
}

#[test]
fn a_job_joins_the_last_one_of_its_lane() {
    let bench = bench(3, &[]);
    let add = |last: &mut Job, job: Job| match (last, job) {
        (Job::Say(sum), Job::Say(more)) => {
            *sum += more;
            None
        }
        (_, job) => Some(job),
    };
    let join = |lane, number| bench.worker.join(lane, Job::Say(number), add);
    bench.hold(Lane::LASTING);
    assert!(join(OTHER, 1).is_ok());
    assert!(join(OTHER, 2).is_ok());
    assert!(join(Lane::LASTING, 4).is_ok());
    assert!(join(OTHER, 8).is_ok());
    assert!(join(OTHER, 16).is_ok());
    assert!(matches!(join(Lane::LASTING, 32), Err(Refused::Full(_))));
    bench.go_on.send(()).unwrap();
    assert_eq!((bench.hear(), bench.hear(), bench.hear()), (3, 4, 24));
}

#[test]
fn telling_waits_for_room_and_ends_when_nobody_listens() {
    let bench = bench(2, &[]);
    bench.send(Job::Count(0));
    for number in 0..10 {
        assert_eq!(bench.hear(), number);
    }
    let Bench { worker, begun, told, .. } = bench;
    drop(worker);
    begun.recv_timeout(Duration::from_mins(1)).unwrap();
    assert!(told.lock().unwrap().len() <= 12);
}

#[test]
fn the_newest_takes_the_place_of_what_was_not_taken() {
    let bench = bench(4, &[]);
    bench.send(Job::SayInstead(101));
    bench.send(Job::Say(2));
    bench.send(Job::SayInstead(103));
    bench.hold(Lane::LASTING);
    bench.go_on.send(()).unwrap();
    assert_eq!((bench.hear(), bench.hear()), (2, 103));
    assert_eq!(bench.worker.news(), None);
}

#[test]
fn after_a_panic_it_goes_on_with_work_made_anew() {
    let bench = bench(8, &[]);
    bench.hold(Lane::LASTING);
    bench.send(Job::Panic);
    bench.send(Job::Say(1));
    assert!(bench.worker.send(OTHER, Job::Say(2)).is_ok());
    bench.go_on.send(()).unwrap();
    let end = Instant::now() + Duration::from_mins(1);
    while bench.worker.coming_trouble().is_none() {
        assert!(Instant::now() < end, "no trouble came");
        std::thread::sleep(Duration::from_millis(2));
    }
    // What waits is put right before it is done.
    assert_eq!(bench.worker.waiting(), 2);
    bench.worker.forget(OTHER);
    bench.send(Job::Say(3));
    let Trouble::Restarted(reason) = bench.trouble() else { panic!("it is dead") };
    assert!(reason.starts_with("as it was told, "), "{reason}");
    assert_eq!((bench.hear(), bench.hear()), (1, 3));
    assert_eq!(bench.worker.trouble(), None);
    assert_eq!(bench.made.load(Ordering::Relaxed), 2);
}

#[test]
fn a_second_panic_ends_it_and_is_told_once() {
    let mut bench = bench(8, &[]);
    bench.send(Job::Panic);
    assert!(matches!(bench.trouble(), Trouble::Restarted(_)));
    bench.hold(Lane::LASTING);
    bench.send(Job::Say(1));
    bench.send(Job::Panic);
    bench.send(Job::Say(2));
    bench.go_on.send(()).unwrap();
    assert!(matches!(bench.trouble(), Trouble::Dead(_)));
    assert_eq!(bench.worker.trouble(), None);
    // What it told before is still heard.
    assert_eq!(bench.worker.news(), Some(1));
    assert_eq!(bench.worker.news(), None);
    let refused = bench.worker.send(Lane::LASTING, Job::Say(3));
    assert!(matches!(refused, Err(Refused::Gone(Job::Say(3)))));
    assert_eq!(bench.made.load(Ordering::Relaxed), 2);
    bench.worker.close();
}

#[test]
fn work_that_cannot_be_made_is_trouble_too() {
    let make = |_: &Desk<'_, Job, u32>| -> Teller { panic!("no folder") };
    let worker = Worker::start("test", 2, make, || {}).unwrap();
    let end = Instant::now() + Duration::from_mins(1);
    let mut troubles = Vec::new();
    while troubles.len() < 2 && Instant::now() < end {
        troubles.extend(worker.trouble());
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(matches!(&troubles[..], [Trouble::Restarted(_), Trouble::Dead(_)]), "{troubles:?}");
}

#[test]
fn closing_does_everything_that_waits() {
    struct Slow(Arc<AtomicUsize>);
    impl Work for Slow {
        type Job = ();
        type News = ();
        fn work(&mut self, (): (), desk: &Desk<'_, (), ()>) {
            // More than there is room for: nobody listens any more, and nothing waits for that.
            desk.tell(());
            desk.tell(());
            std::thread::sleep(Duration::from_millis(1));
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let done = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&done);
    let mut worker = Worker::start("test", 50, move |_| Slow(Arc::clone(&own)), || {}).unwrap();
    let mut sent = 0;
    while worker.send(Lane::LASTING, ()).is_ok() {
        sent += 1;
    }
    assert!(sent >= 50);
    worker.close();
    assert_eq!(done.load(Ordering::Relaxed), sent);
}

#[test]
fn closing_goes_on_after_a_panic_that_nobody_heard_of() {
    let bench = bench(8, &[]);
    bench.hold(Lane::LASTING);
    bench.send(Job::Panic);
    bench.send(Job::Wait);
    bench.go_on.send(()).unwrap();
    bench.go_on.send(()).unwrap();
    let Bench { mut worker, begun, .. } = bench;
    worker.close();
    assert!(begun.try_recv().is_ok());
}

#[test]
fn without_a_job_it_rests_as_it_likes() {
    // From the last to the first; each tells.
    let idle = [Rest::Job, Rest::For(Duration::from_millis(1)), Rest::Again];
    let bench = bench(8, &idle);
    for _ in 0..3 {
        assert_eq!(bench.hear(), 1000);
    }
    bench.send(Job::Say(1));
    assert_eq!(bench.hear(), 1);
    assert_eq!(bench.worker.news(), None);
}

#[test]
fn jobs_come_before_idle_work() {
    struct Busy(u32);
    impl Work for Busy {
        type Job = u32;
        type News = u32;
        fn work(&mut self, job: u32, desk: &Desk<'_, u32, u32>) {
            desk.tell(job);
        }
        fn idle(&mut self, desk: &Desk<'_, u32, u32>) -> Rest {
            self.0 += 1;
            desk.tell(self.0);
            Rest::Again
        }
    }
    let worker = Worker::start("test", 4, |_| Busy(0), || {}).unwrap();
    while worker.news().is_none() {
        std::thread::yield_now();
    }
    worker.send(Lane::LASTING, 1_000_000).unwrap();
    let mut before = 0;
    loop {
        match worker.news() {
            Some(1_000_000) => break,
            Some(_) => before += 1,
            None => std::thread::yield_now(),
        }
    }
    // What lay there already, and the one under way.
    assert!(before <= 5, "{before}");
}

#[test]
fn a_bell_ends_the_rest() {
    struct Counts(u32, SyncSender<Box<dyn Fn() + Send + Sync>>);
    impl Work for Counts {
        type Job = ();
        type News = u32;
        fn work(&mut self, (): (), _: &Desk<'_, (), u32>) {}
        fn idle(&mut self, desk: &Desk<'_, (), u32>) -> Rest {
            if self.0 == 0 {
                self.1.send(Box::new(desk.bell())).unwrap();
            }
            self.0 += 1;
            desk.tell(self.0);
            Rest::For(Duration::from_mins(10))
        }
    }
    let (bells, bell) = sync_channel(1);
    let worker = Worker::start("test", 4, move |_| Counts(0, bells.clone()), || {}).unwrap();
    let bell = bell.recv().unwrap();
    let hear = || loop {
        if let Some(news) = worker.news() {
            return news;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(hear(), 1);
    bell();
    assert_eq!(hear(), 2);
}
