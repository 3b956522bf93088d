use super::*;

fn head(kind: TaskKind, outputs: usize) -> Head {
    let named = if kind == TaskKind::Numbers {
        0
    } else {
        outputs
    };
    let names = ["a", "b", "c"][..named].iter().map(|n| n.to_string());
    Head {
        map: Map::Linear {
            weights: Matrix::new(
                2,
                outputs,
                (0..2 * outputs).map(|i| i as f32 - 1.0).collect(),
            ),
            bias: (0..outputs).map(|i| 0.5 * i as f64).collect(),
        },
        offset: vec![],
        shift: vec![1.0, 4e6],
        factor: vec![0.5, 2.0],
        about: About {
            task: "kind".into(),
            kind,
            names: names.collect(),
            source: ("runs/a".into(), "hash".into()),
            made: "linear".into(),
            samples: 10,
            temperature: 1.0,
            calibration: None,
            threshold: None,
            scores: vec![],
        },
    }
}

#[test]
fn answers_are_those_of_the_formula() -> Result<()> {
    // z = ((3 − 1)/2, (4e6 + 1 − 4e6) · 2) W + b = (1, 2) W + b.
    let x = Matrix::new(1, 2, vec![3.0, 4_000_001.0]);
    let numbers = head(TaskKind::Numbers, 1).answer(&x)?;
    assert_eq!(numbers, [-1.0]);
    // Logits 3, 6.5, 10 of W = (−1 0 1; 2 3 4).
    let classes = head(TaskKind::Classes, 3);
    let p = classes.answer(&x)?;
    let wanted = [3.0f64, 6.5, 10.0].map(|z| (z - 10.0).exp());
    let sum: f64 = wanted.iter().sum();
    assert!(
        p.iter()
            .zip(wanted)
            .all(|(p, w)| (p - w / sum).abs() < 1e-12)
    );
    let mut warm = classes.clone();
    warm.about.temperature = 2.0;
    let odds = |p: &[f64]| (p[2] / p[1]).ln();
    assert!((odds(&warm.answer(&x)?) - 0.5 * odds(&p)).abs() < 1e-9);
    let labels = head(TaskKind::LabelSets, 2).answer(&x)?;
    // Logits of W = (−1 0; 1 2): 1 and 4.5.
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    assert!((labels[0] - sigmoid(1.0)).abs() < 1e-12 && (labels[1] - sigmoid(4.5)).abs() < 1e-12);
    let error = classes
        .answer(&Matrix::zeros(1, 3))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("takes 2 features") && error.contains("runs/a"),
        "{error}"
    );
    Ok(())
}

#[test]
fn predictions_are_a_table_and_abstain() -> Result<()> {
    let x = Matrix::new(2, 2, vec![3.0, 4_000_001.0, 1.0, 4_000_000.0]);
    let ids = ["x".to_owned(), "y,1".to_owned()];
    let classes = head(TaskKind::Classes, 3);
    let found = Predictions::of(&classes, &ids, &x, Some(0.9))?;
    // The second row has logits 0, .5 and 1.
    assert_eq!(found.answers[0].answer.as_deref(), Some("c"));
    assert_eq!(
        (found.answers[1].answer.as_deref(), found.abstained()),
        (None, 1)
    );
    let text = found.csv()?;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "id,predicted,confidence,p:a,p:b,p:c");
    assert!(
        lines[1].starts_with("x,c,0.969") && lines[2].starts_with("\"y,1\",,0.506"),
        "{text}"
    );
    let mut two = head(TaskKind::Classes, 2);
    two.about.threshold = Some(0.99);
    let answer = |head: &Head| -> Result<Option<String>> {
        Ok(
            Predictions::of(head, &ids[..1], &x.select(&[0]), None)?.answers[0]
                .answer
                .clone(),
        )
    };
    assert_eq!(answer(&two)?.as_deref(), Some("a"));
    two.about.threshold = None;
    assert_eq!(answer(&two)?.as_deref(), Some("b"));
    let sets = Predictions::of(&head(TaskKind::LabelSets, 2), &ids, &x, None)?;
    assert_eq!(sets.answers[0].answer.as_deref(), Some("a|b"));
    let numbers = head(TaskKind::Numbers, 1);
    assert!(Predictions::of(&numbers, &ids, &x, Some(0.5)).is_err());
    assert_eq!(
        Predictions::of(&numbers, &ids, &x, None)?
            .csv()?
            .lines()
            .nth(1),
        Some("x,-1")
    );
    Ok(())
}
