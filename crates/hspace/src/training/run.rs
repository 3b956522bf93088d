//! Running a job: training with its run folder, and a short training that measures its speed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::{Progress, Start, Trained, steps_per_epoch, streams, train};
use crate::data_record::DataRecord;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::run::{EncoderFile, RunFolder};

impl Job<'_> {
    /// Samples per second of training, views included, measured for about `seconds`; the first steps,
    /// which are slower, do not count. 0 if `stop` asked for an end before there was anything to count.
    ///
    /// # Errors
    /// As [`train`].
    pub fn pace(&self, seconds: f64, stop: &AtomicBool) -> Result<f64> {
        let batch = *self.config.train.batch_size.get();
        let enough = AtomicBool::new(false);
        let mut begun: Option<(Instant, usize)> = None;
        let mut rate = 0.0;
        let mut watch = |progress: &Progress| {
            let asked = stop.load(Ordering::Relaxed);
            let Some((begin, first)) = begun else {
                begun = (progress.step >= 2).then(|| (Instant::now(), progress.step));
                return enough.store(asked, Ordering::Relaxed);
            };
            let (steps, passed) = (progress.step - first, begin.elapsed().as_secs_f64());
            rate = (steps * batch) as f64 / passed;
            enough.store(asked || (steps >= 3 && passed > seconds), Ordering::Relaxed);
        };
        match self.run(None, Start::Fresh, &mut watch, &enough) {
            Ok(_) | Err(Error::Interrupted(_)) => Ok(rate),
            Err(error) => Err(error),
        }
    }

    /// Steps of the whole training.
    ///
    /// # Errors
    /// When a stream has no samples.
    pub fn steps(&self) -> Result<usize> {
        let settings = &self.config.train;
        Ok(match settings.steps {
            0 => steps_per_epoch(&streams::sources(self)?) * settings.epochs.get(),
            steps => steps,
        })
    }

    /// Trains (see [`train`]); with a folder, leaves the encoder and a record of the data there, and asks its head about unlabelled samples. Whether the data of a
    /// run that is resumed are still the same, [`DataRecord::changes`] says before.
    ///
    /// # Errors
    /// As [`train`].
    pub fn run(
        &self,
        folder: Option<&RunFolder>,
        start: Start,
        progress: &mut dyn FnMut(&Progress),
        stop: &AtomicBool,
    ) -> Result<Trained> {
        let _alone = folder.map(RunFolder::occupy).transpose()?;
        if let Some(folder) = folder {
            let earlier = match start {
                Start::Resume => DataRecord::read(folder)?,
                _ => None,
            };
            self.data_record(earlier.as_ref())?.write(folder)?;
        }
        let mut trained = train(self, folder, start, progress, stop)?;
        if let Some(folder) = folder {
            trained.warnings.extend(self.unlabelled_warnings(&trained));
            let mut bad = self.dataset.bad.clone();
            bad.extend(trained.bad.iter().cloned());
            folder.add_bad_files(&bad)?;
            folder.write_model(&trained.model)?;
            let mut about = EncoderFile {
                warnings: trained.warnings.clone(),
                ..self.describe()
            };
            trained.head = self.calibrated(&trained, &about);
            about.head.clone_from(&trained.head);
            folder.write_encoder(about, &trained.encoder)?;
        }
        Ok(trained)
    }
}
