//! Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) of any stage: its maps, weighted by the mean gradient of a class's logit.

use burn_tensor::activation::relu;
use burn_tensor::{Tensor, TensorData};
use hspace::dataset::Shape;
use hspace::device::Device;
use hspace::embed::to_matrix;
use hspace::encoder::{Encoder, Features};
use hspace::nn::layers::linear;
use hspace::nn::maps::Maps;
use hspace::nn::{Mode, Pass, Weights};

/// The encoder's maps after `stage`, and what leads from there to the logits.
struct Cut<'a> {
    encoder: &'a dyn Encoder,
    pass: &'a Pass<'a>,
    stage: usize,
    stages: usize,
}

impl Cut<'_> {
    /// `[n, c, h, w]`
    fn maps(&self, x: Tensor<4>) -> Tensor<4> {
        let scope = self.pass.at("encoder");
        let features = self
            .encoder
            .forward(&scope, Features::Samples(x), 0..self.stage + 1);
        features.into_maps(&scope).into_images()
    }

    /// `[n, 10]`
    fn logits(&self, maps: Tensor<4>) -> Tensor<2> {
        let scope = self.pass.at("encoder");
        let maps = Features::Maps(Maps::from_images(&scope, maps));
        let last = self
            .encoder
            .forward(&scope, maps, self.stage + 1..self.stages);
        linear(
            &self.pass.at("head"),
            self.encoder.pool(&scope, last),
            10,
            true,
        )
    }

    /// The gradient of the logit of `class` by the maps, and the map of Grad-CAM `[h, w]`, of one image.
    fn grad_cam(&self, maps: Tensor<4>, class: usize) -> (Tensor<4>, Tensor<2>) {
        let leaf = maps.clone().autodiff().require_grad();
        let logit = self.logits(leaf.clone()).narrow(1, class, 1).sum();
        let gradient = leaf.grad(&logit.backward()).expect("it asks for one");
        let [_, _, h, w] = maps.dims();
        let weights = gradient.clone().mean_dim(2).mean_dim(3);
        let map = relu((maps * weights).sum_dim(1)).reshape([h, w]);
        (gradient, map)
    }
}

#[test]
fn every_stage_of_a_network_has_one() {
    let (device, shape) = (
        Device::cpu(),
        Shape::Image {
            channels: 1,
            height: 28,
            width: 28,
        },
    );
    let encoder = hspace::encoder::make("cnn", hspace::toml::Table::new()).expect("it is listed");
    let stages = encoder.stages(shape).len();
    let none = Weights::default();
    let init = Pass::new(&none, Mode::Init(0), &device);
    let image = super::pixels(&super::digits(), 0);
    let x = Tensor::<4>::from_data(TensorData::new(image, [1, 1, 28, 28]), &device);
    linear(
        &init.at("head"),
        encoder.features(&init.at("encoder"), x.clone()),
        10,
        true,
    );
    let weights = init.into_fresh();
    let pass = Pass::new(&weights, Mode::Eval, &device);
    for stage in 0..stages {
        let cut = Cut {
            encoder: &*encoder,
            pass: &pass,
            stage,
            stages,
        };
        let maps = cut.maps(x.clone());
        let (gradient, map) = cut.grad_cam(maps.clone(), 3);
        let map = to_matrix(map);
        assert_eq!(
            (map.rows, map.cols),
            ([14, 7, 4, 2][stage], [14, 7, 4, 2][stage])
        );
        assert!(map.data.iter().any(|v| *v > 0.0) && map.data.iter().all(|v| v.is_finite()));
        // Along the gradient the logit rises by its squared length.
        let step = gradient.clone() * 1e-2;
        let logit = |maps| to_matrix(cut.logits(maps)).data[3];
        let rise = (logit(maps.clone() + step.clone()) - logit(maps - step)) / 2e-2;
        let square = gradient.powi_scalar(2).sum().into_scalar::<f32>();
        assert!(
            (rise / square - 1.0).abs() < 0.05,
            "stage {stage}: {rise} is not {square}"
        );
    }
}
