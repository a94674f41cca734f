//! The shim's part in health checks.

use std::time::Instant;

use crate::messages::Answer;
use crate::poll::Token;
use crate::shim::Shim;

impl Shim {
    /// Do what is due, and tell daemons what there is to tell.
    pub fn look_after_health(&mut self, now: Instant) {
        let Some(health) = &mut self.health else {
            return;
        };
        if let Some(container) = &self.container {
            health.pump(&**container, self.open_files, &self.core.poller, now);
        }
        for event in health.take_news() {
            self.broadcast(&event);
        }
    }

    pub fn on_probe(&mut self, token: Token) {
        if let Some(health) = &mut self.health {
            health.on_event(token, &self.core.poller);
        }
    }

    pub fn health(&self) -> Answer {
        let health = self.health.as_ref().map(|health| health.record().clone());
        Answer::Health { health }
    }

    pub fn suspend_checks(&mut self) -> Answer {
        if let Some(health) = &mut self.health {
            health.suspend(&self.core.poller);
        }
        Answer::Done {}
    }

    pub fn resume_checks(&mut self) -> Answer {
        if let Some(health) = &mut self.health {
            health.resume(Instant::now());
        }
        Answer::Done {}
    }
}
