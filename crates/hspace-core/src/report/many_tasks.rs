//! Tasks learned together: what each gains or loses, which helps which, and what the others teach about one that is held out.

use maud::{Markup, html};

use super::sections::section;
use super::tables::{Measure, grouped};
use crate::many_tasks::{Compared, Learned, ManyTasks, TaskResult};
use crate::probe::Estimate;

pub(super) fn many_tasks(found: Option<&ManyTasks>) -> Markup {
    let Some(found) = found else {
        return html! {};
    };
    html! {
        (together(found))
        @if found.has_pairs() { (pairs(found)) }
        @if found.tasks.iter().any(|task| task.held_out.is_some()) { (held_out(found)) }
    }
}

fn together(found: &ManyTasks) -> Markup {
    let trainings = match found.seeds {
        1 => "one training".to_owned(),
        n => format!("the mean of {n} trainings"),
    };
    let lede = html! {
        "Each task learned alone, and what learning all of them with one network adds to it or takes away, on the same test samples: " (trainings)
        ", with 95 % intervals, each by itself. All networks have the same encoder and the same number of steps."
    };
    let body = html! { div.scroll { table {
        thead { tr {
            th.text { "Task" } th.text { "Measure" } th { "Labels" } th { "Test samples" } th.text { "Learned" } th { "Score" } th { "Gain" }
        } }
        tbody { @for task in &found.tasks {
            @let measure = Measure::of(&task.measure);
            tr.learned {
                th.text { (task.task) }
                td.text { (measure.title) }
                td { (grouped(task.labelled)) }
                td { (grouped(task.tested)) }
                td.text { "alone" }
                td { (measure.cell(&task.alone)) }
                td {}
            }
            @for (weighting, compared) in task.with_all() { tr {
                th.text {} td.text {} td {} td {}
                td.text { "with all, " (weighting) }
                td { (measure.cell(&compared.score)) }
                (gain(Some(compared), &measure))
            } }
        } }
    } } };
    section("Learned together", lede, body)
}

fn pairs(found: &ManyTasks) -> Markup {
    let lede = html! {
        "What the task of a row gains when the task of a column is learned with it, by one network for the two, compared with that task alone."
    };
    let with = |task: &TaskResult, other: &TaskResult| -> Markup {
        let learned = Learned::With(other.task.clone());
        gain(task.of(&learned), &Measure::of(&task.measure))
    };
    let body = html! { div.scroll { table {
        thead { tr { th.text { "Task" } @for other in &found.tasks { th { "with " (other.task) } } } }
        tbody { @for task in &found.tasks { tr {
            th.text { (task.task) }
            @for other in &found.tasks { (with(task, other)) }
        } } }
    } } };
    section("Which task helps which", lede, body)
}

fn held_out(found: &ManyTasks) -> Markup {
    let lede = html! {
        "A linear probe of a task on features of a network that learned all the others and never this one, and what that is above the features of the same network "
        "untrained."
    };
    let body = html! { div.scroll { table {
        thead { tr { th.text { "Task held out" } th.text { "Measure" } th { "Probe" } th { "Above an untrained network" } th { "Its own network" } } }
        tbody { @for task in &found.tasks { @if let Some(held_out) = &task.held_out { tr {
            @let measure = Measure::of(&task.measure);
            th.text { (task.task) }
            td.text { (measure.title) }
            td { (measure.cell(&held_out.score)) }
            (gain(Some(held_out), &measure))
            td { (measure.cell(&task.alone)) }
        } } } }
    } } };
    section("A task held out", lede, body)
}

/// A cell with a difference, in colour where it is seen.
fn gain(compared: Option<&Compared>, measure: &Measure) -> Markup {
    let Some(compared) = compared else {
        return html! { td.none { "–" } };
    };
    let gain = &compared.gain;
    let sign = if gain.mean > 0.0 { "+" } else { "" };
    html! { td class=(tone(gain)) { (sign) (measure.cell(gain)) } }
}

fn tone(gain: &Estimate) -> &'static str {
    match gain.has_interval() {
        true if gain.low > 0.0 => "better",
        true if gain.high < 0.0 => "worse",
        _ => "level",
    }
}
