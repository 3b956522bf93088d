use burn::tensor::*;
use hspace::{
    dataset::Shape,
    encoder,
    network::*,
    objective::{self, *},
};
use std::time::Instant;
fn main() {
    let device = Device::flex();
    let shape = Shape::Image {
        channels: 1,
        height: 28,
        width: 28,
    };
    for (name, w, bs) in [("cnn", 32, 256), ("cnn", 16, 256), ("resnet18", 16, 64)] {
        let mut t = toml::Table::new();
        t.insert("width".into(), toml::Value::Integer(w));
        let enc = encoder::make(name, t).unwrap();
        let mut obj = objective::make("simclr", Default::default()).unwrap();
        let facts = Facts {
            shape,
            columns: vec![],
            task: None,
        };
        obj.prepare(&facts);
        let weights = objective::init(&*obj, &*enc, &facts, 0, &device);
        let x = || Tensor::<4>::random([bs, 1, 28, 28], Distribution::Normal(0.0, 1.0), &device);
        let batch = [Batch {
            views: vec![x(), x()],
            rows: (0..bs).collect(),
        }];
        for _ in 0..4 {
            let t = Instant::now();
            let tracked = weights.tracked(|_| true);
            let pass = Pass::new(&tracked, Mode::Train, &device);
            let net = Net {
                encoder: &*enc,
                pass: &pass,
            };
            let l = obj.loss(&net, &batch, 0);
            let f = t.elapsed();
            let g = l.total.backward();
            let _ = g;
            println!(
                "{name} w{w} bs{bs}: fwd {:?} total {:?} {:.0} img/s",
                f,
                t.elapsed(),
                bs as f64 / t.elapsed().as_secs_f64()
            );
        }
        let t = Instant::now();
        let pass = Pass::new(&weights, Mode::Eval, &device);
        let y = enc.features(&pass.at("encoder"), x());
        println!("eval {:?} {:?}", y.dims(), t.elapsed());
    }
}
