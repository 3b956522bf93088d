"""Training of a variational autoencoder compared with PyTorch: two layers of 200 units each way, 50 latents, Bernoulli pixels, Adam,
batch 128. Both sides in one run, turn by turn; images/s, medians. PyTorch has its images in one tensor, without a loader;
with `pythae` installed its trainer is timed as well, once.

    pip install torch pythae
    python bench/binarise.py MNIST_IDX_FOLDER binary.npz
    python bench/vae.py binary.npz HSPACE_BINARY
"""

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

BATCH, LATENTS, UNITS, SECONDS, ROUNDS = 128, 50, 200, 8, 9


class Vae(nn.Module):
    def __init__(self, pixels):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(pixels, UNITS), nn.ReLU(), nn.Linear(UNITS, UNITS), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(UNITS, LATENTS), nn.Linear(UNITS, LATENTS)
        self.decoder = nn.Sequential(
            nn.Linear(LATENTS, UNITS), nn.ReLU(), nn.Linear(UNITS, UNITS), nn.ReLU(), nn.Linear(UNITS, pixels)
        )

    def forward(self, x):
        features = self.trunk(x)
        mean, log_variance = self.mean(features), self.log_variance(features)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        loss = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        return (loss - 0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()) / len(x)


def peer(images):
    model = Vae(images.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    done, begun = 0, None
    while True:
        for rows in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            model(images[rows]).backward()
            optimizer.step()
            begun = begun or time.perf_counter()
            done += BATCH
            if time.perf_counter() - begun > SECONDS:
                return (done - BATCH) / (time.perf_counter() - begun)


def hspace(data, binary):
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "train", "--data", data, "--encoder", "mlp", "--objective", "vae", "--out", f"{folder}/run"]
        command += ["--no-check", "--batch-size", str(BATCH), "--epochs", "1000"]
        for setting in [f"encoder.width={UNITS}", "encoder.layers=2", "encoder.norm=false", f"objective.latents={LATENTS}",
                        "objective.decoder=mlp", f"objective.decoder_units={UNITS}", "objective.decoder_layers=2",
                        "train.online_probe=false", "train.log_every=100"]:
            command += ["--set", setting]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(SECONDS + 2)
        process.send_signal(signal.SIGINT)
        process.wait()
        lines = [json.loads(line) for line in Path(f"{folder}/run/metrics.jsonl").read_text().splitlines()]
        first, last = lines[0], lines[-1]
        return BATCH * (last["step"] - first["step"]) / (last["seconds"] - first["seconds"])


def pythae(images):
    """Its trainer on two passes of a tenth of the images; its progress bars and logs are a part of it."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            model = Vae(784)
            self.trunk, self.mean, self.log_variance = model.trunk, model.mean, model.log_variance

        def forward(self, x):
            features = self.trunk(x.flatten(1))
            return ModelOutput(embedding=self.mean(features), log_covariance=self.log_variance(features))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = Vae(784).decoder

        def forward(self, z):
            return ModelOutput(reconstruction=self.layers(z).sigmoid())

    few = images[:12800].reshape(-1, 1, 28, 28)
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENTS, reconstruction_loss="bce")
    with tempfile.TemporaryDirectory() as folder:
        training = BaseTrainerConfig(output_dir=folder, num_epochs=2, per_device_train_batch_size=BATCH, no_cuda=True,
                                     steps_saving=None, learning_rate=1e-3)
        from pythae.data.datasets import BaseDataset
        data = BaseDataset(few, torch.zeros(len(few)))
        trainer = BaseTrainer(VAE(config, Encoder(), Decoder()), data, training_config=training)
        begun = time.perf_counter()
        trainer.train()
        return 2 * len(few) / (time.perf_counter() - begun)


if __name__ == "__main__":
    data, binary = sys.argv[1:]
    images = torch.from_numpy(np.load(data)["train_images"].reshape(-1, 784)).float() / 255
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(hspace(data, binary))
        theirs.append(peer(images))
        print(f"hspace {ours[-1]:.0f} images/s, PyTorch {theirs[-1]:.0f}", flush=True)
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    print(f"medians: hspace {ours:.0f}, PyTorch {theirs:.0f}, ratio {ours / theirs:.2f}")
    try:
        print(f"pythae's trainer: {pythae(images):.0f}")
    except ImportError:
        print("pythae is not installed")
