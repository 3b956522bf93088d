//! Checkpoints of other training code.

use super::archive::{Node, checkpoint};
use super::*;

/// The role that all weights have: value i of a tensor is role + (length of its name) / 64 + i / 1024.
fn role(weights: &Weights) -> f32 {
    let mut roles = weights.iter().map(|(name, weight)| {
        let own = values(weight.value.clone());
        let role = own[0] - name.len() as f32 / 64.0;
        for (i, value) in own.iter().enumerate() {
            let expected = role + name.len() as f32 / 64.0 + i as f32 / 1024.0;
            assert_eq!(*value, expected, "{name}[{i}]");
        }
        role
    });
    let first = roles.next().unwrap();
    assert!(roles.all(|role| role == first));
    first
}

/// Weights by the same rule, with a prefix before their names.
fn wrapped(network: &Network, prefix: &str, role: f32) -> Vec<(String, Node)> {
    let tensor = |(name, weight): (&str, &Weight)| {
        let n = weight.shape.iter().product();
        let value = |i: usize| role + name.len() as f32 / 64.0 + i as f32 / 1024.0;
        let tensor = Node::Tensor(weight.shape.clone(), (0..n).map(value).collect());
        (format!("{prefix}{name}"), tensor)
    };
    network.fresh.iter().map(tensor).collect()
}

fn one(key: &str, value: Node) -> Node {
    Node::Dict(vec![(key.to_owned(), value)])
}

#[test]
fn weights_are_found_under_any_key_and_prefix() {
    let network = Network::cnn();
    let keys = [
        "",
        "state_dict",
        "model",
        "model_state_dict",
        "model_ema",
        "state_dict_ema",
        "teacher",
        "student",
        "net",
        "network",
        "weights",
        "encoder",
        "backbone",
        "model.state_dict",
        "checkpoint.state_dict.teacher",
        "a key of nobody",
    ];
    let prefixes = [
        "",
        "module.",
        "module.encoder_q.",
        "module.encoder.",
        "model.backbone.",
        "module.base_encoder.",
        "momentum_encoder.",
        "module._orig_mod.",
        "online_encoder.net.",
        "a.b.c.d.",
    ];
    for key in keys {
        for prefix in prefixes {
            let mut content = Node::Dict(wrapped(&network, prefix, 0.0));
            for key in key.split('.').rev().filter(|key| !key.is_empty()) {
                content = one(key, content);
            }
            let found = network.read_bytes(&checkpoint(&content)).unwrap();
            assert_eq!(role(&found.weights), 0.0, "{key} {prefix}");
            let note = match (key, prefix) {
                ("", "") => None,
                ("", prefix) => Some(format!("took the weights with names after `{prefix}`")),
                (key, "") => Some(format!("took the weights under `{key}`")),
                _ => Some(format!(
                    "took the weights under `{key}`, names after `{prefix}`"
                )),
            };
            assert_eq!(found.notes, Vec::from_iter(note));
        }
    }
}

#[test]
fn checkpoints_of_common_training_code_are_read() {
    let network = Network::cnn();
    let cases = [
        (
            "moco.pth.tar",
            Some("encoder_q"),
            0.0,
            "under `state_dict`, names after `module.encoder_q.`",
            "`optimizer`",
        ),
        (
            "moco.pth.tar",
            Some("module.encoder_k."),
            8.0,
            "under `state_dict`, names after `module.encoder_k.`",
            "`state_dict.module.queue` (1)",
        ),
        (
            "simsiam.pth.tar",
            None,
            0.0,
            "under `state_dict`, names after `module.encoder.`",
            "`state_dict.module.encoder.fc` (4), `state_dict.module.predictor` (2)",
        ),
        (
            "dino.pth",
            Some("student"),
            0.0,
            "under `student`, names after `module.backbone.`",
            "`student.module.head` (4), `teacher` (24)",
        ),
        (
            "dino.pth",
            Some("teacher"),
            8.0,
            "under `teacher`, names after `backbone.`",
            "`dino_loss` (1)",
        ),
        (
            "swav.pth",
            None,
            0.0,
            "with names after `module.`",
            "left out 5 other tensors: `module.projection_head` (4), `module.prototypes` (1)",
        ),
        (
            "byol.pt",
            Some("target_network_state_dict"),
            8.0,
            "under `target_network_state_dict`, names after `encoder.`",
            "`online_network_state_dict` (22)",
        ),
        (
            "solo_learn.ckpt",
            None,
            0.0,
            "under `state_dict`, names after `backbone.`",
            "`state_dict.projector` (4)",
        ),
        (
            "lightly.ckpt",
            None,
            0.0,
            "under `state_dict`, names after `backbone.`",
            "`state_dict.model` (22)",
        ),
        (
            "timm.pth.tar",
            Some("state_dict_ema"),
            8.0,
            "under `state_dict_ema`",
            "`state_dict` (22)",
        ),
        (
            "timm.pth.tar",
            Some("state_dict"),
            0.0,
            "under `state_dict`",
            "`state_dict.fc` (2), `state_dict_ema` (22)",
        ),
        (
            "torchvision.pth",
            None,
            0.0,
            "left out",
            "2 other tensors: `fc` (2)",
        ),
        (
            "mmpretrain.pth",
            None,
            0.0,
            "under `state_dict`, names after `backbone.`",
            "`state_dict.head` (2)",
        ),
        ("module.pt", None, 0.0, "under `model`", "`model.fc` (2)"),
        ("protocol_5.pt", None, 0.0, "under `net`", ""),
    ];
    for (file, key, expected, place, rest) in cases {
        let path = golden("checkpoints").join(file);
        let found = network.read(&path, key).unwrap();
        assert_eq!(role(&found.weights), expected, "{file}");
        let notes = found.notes.join("; ");
        assert!(
            notes.contains(place) && notes.contains(rest),
            "{file}: {notes}"
        );
    }
}

#[test]
fn nothing_is_guessed_where_several_sets_of_weights_fit() {
    let network = Network::cnn();
    let cases = [
        (
            "moco.pth.tar",
            "state_dict.module.encoder_k",
            "state_dict.module.encoder_q",
        ),
        ("dino.pth", "student.module.backbone", "teacher.backbone"),
        (
            "byol.pt",
            "online_network_state_dict.encoder",
            "target_network_state_dict.encoder",
        ),
        ("timm.pth.tar", "state_dict", "state_dict_ema"),
    ];
    for (file, one, other) in cases {
        let path = golden("checkpoints").join(file);
        let error = network.read(&path, None).unwrap_err().to_string();
        let wanted = format!(
            "has 2 sets of weights that fit the network: `{one}`, `{other}`; choose one with --weights-key {one} or \
             --weights-key {other}"
        );
        assert!(error.ends_with(&wanted) && error.contains(file), "{error}");
        // What the message says works.
        let [one, other] = [one, other].map(|key| network.read(&path, Some(key)).unwrap());
        let mut roles = [role(&one.weights), role(&other.weights)];
        roles.sort_by(f32::total_cmp);
        assert_eq!(roles, [0.0, 8.0]);
    }
    let mut top = wrapped(&network, "", 0.0);
    top.extend(wrapped(&network, "ema.", 8.0));
    let path = network.folder.path().join("w");
    std::fs::write(&path, checkpoint(&Node::Dict(top))).unwrap();
    let error = network.read(&path, None).unwrap_err().to_string();
    assert!(
        error.contains("--weights-key '' or --weights-key ema"),
        "{error}"
    );
    for (key, expected) in [("", 0.0), ("ema", 8.0)] {
        let found = network.read(&path, Some(key)).unwrap();
        assert_eq!(role(&found.weights), expected);
    }
}

#[test]
fn the_set_of_weights_with_the_networks_shapes_is_taken() {
    let network = Network::cnn();
    let wider = Network::new("cnn", "width = 2", 3);
    let mut both = wrapped(&wider, "wide.", 8.0);
    both.extend(wrapped(&network, "narrow.", 0.0));
    let found = network.read_bytes(&checkpoint(&Node::Dict(both))).unwrap();
    assert_eq!(role(&found.weights), 0.0);
    assert!(found.notes[0].ends_with("`narrow.`"), "{:?}", found.notes);
}

#[test]
fn a_key_that_is_not_there_is_answered_with_those_that_are() {
    let network = Network::cnn();
    let of = |file: &str, key| {
        let path = golden("checkpoints").join(file);
        network.read(&path, Some(key)).unwrap_err().to_string()
    };
    let error = of("dino.pth", "ema");
    let wanted = "under `ema`; there are such under `student.module.backbone`, `teacher.backbone`";
    assert!(error.ends_with(wanted), "{error}");
    let other = Network::new("vit_tiny", "width = 8\ndepth = 1\nheads = 2", 1);
    let path = golden("checkpoints").join("dino.pth");
    let error = other.read(&path, Some("ema")).unwrap_err().to_string();
    assert!(
        error.contains("begins with `args`, `dino_loss`, `optimizer`, `student`, `teacher`"),
        "{error}"
    );
}

#[test]
fn misfits_are_counted_with_the_nearest_prefix() {
    let network = Network::cnn();
    let mut lacking = wrapped(&network, "module.encoder.", 0.0);
    lacking.retain(|(name, _)| !name.contains("bn"));
    lacking.push((
        "module.encoder.conv4.weight".into(),
        Node::Tensor(vec![1], vec![0.0]),
    ));
    let content = one("state_dict", Node::Dict(lacking));
    let error = network
        .read_bytes(&checkpoint(&content))
        .unwrap_err()
        .to_string();
    for part in [
        "w: the weights do not fit the network (nearest are those under `state_dict`, names after `module.encoder.`: \
         4 of 20 names)",
        "\n  16 missing: bn0.bias [1], bn0.running_mean [1], ",
        "bn2.running_mean [4], and 6 more\n  1 not part of the network: conv4.weight\n  give the encoder",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(error.lines().count() == 4, "{error}");
    let wider = Network::new("cnn", "width = 2", 3);
    let error = wider.read_bytes(&checkpoint(&Node::Dict(wrapped(&network, "", 0.0))));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("20 of another shape: bn0.bias is [1], the network needs [2], "),
        "{error}"
    );
    // Of another network altogether.
    let vit = Network::new("vit_tiny", "width = 8\ndepth = 1\nheads = 2", 1);
    let error = vit.read_bytes(&checkpoint(&Node::Dict(wrapped(&network, "", 0.0))));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("18 missing: ") && error.contains("20 not part of the network: "),
        "{error}"
    );
}

#[test]
fn parts_that_change_the_features_are_not_left_out() {
    let network = Network::cnn();
    for (name, left_out) in [
        ("fc.weight", true),
        ("projection_head.0.weight", true),
        ("decoder_norm.weight", true),
        ("mask_token", true),
        ("queue", true),
        ("conv4.weight", false),
        ("conv0.scale", false),
        ("reg_token", false),
        ("fc_norm.weight", false),
        ("norm_pre.weight", false),
    ] {
        let mut content = wrapped(&network, "module.", 0.0);
        content.push((format!("module.{name}"), Node::Tensor(vec![1], vec![0.0])));
        match network.read_bytes(&checkpoint(&Node::Dict(content))) {
            Ok(found) => {
                assert!(left_out, "{name}");
                assert!(found.notes[1].starts_with("left out 1 other tensor: `module."));
            }
            Err(error) => {
                let wanted = format!("1 not part of the network: {name}");
                assert!(!left_out && error.to_string().contains(&wanted), "{error}");
            }
        }
    }
}
