//! Whether the machine runs on its battery, asked of the system.

use starship_battery::{Manager, State};

/// Whether a battery is being emptied. Where the system tells of none, none is.
pub fn on_battery() -> bool {
    let Ok(batteries) = Manager::new().and_then(|manager| manager.batteries()) else {
        return false;
    };
    batteries.flatten().any(|battery| battery.state() == State::Discharging)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_machine_without_a_battery_runs_on_none() {
        let batteries = std::fs::read_dir("/sys/class/power_supply");
        if batteries.map_or(true, |mut batteries| batteries.next().is_none()) {
            assert!(!super::on_battery());
        }
    }
}
