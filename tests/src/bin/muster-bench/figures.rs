//! Figures and how they are printed.

use serde_json::json;

/// Which way a figure should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

#[derive(Debug, Clone)]
pub struct Figure {
    pub name: &'static str,
    pub value: f64,
    pub unit: &'static str,
    /// What the machine can do at best, measured in the same run, in the same unit.
    pub limit: Option<f64>,
    pub goal: Option<(f64, Better)>,
}

#[derive(Default)]
pub struct Figures {
    all: Vec<Figure>,
}

impl Figures {
    /// Tells it at once: the whole table comes minutes later.
    pub fn add(&mut self, figure: Figure) {
        eprintln!("  {}: {:.3} {}", figure.name, figure.value, figure.unit);
        self.all.push(figure);
    }

    pub fn print_json(&self) {
        for figure in &self.all {
            let (goal, better) = match figure.goal {
                Some((goal, Better::Higher)) => (Some(goal), Some("higher")),
                Some((goal, Better::Lower)) => (Some(goal), Some("lower")),
                None => (None, None),
            };
            let line = json!({
                "figure": figure.name, "value": figure.value, "unit": figure.unit,
                "limit": figure.limit, "goal": goal, "better": better,
            });
            println!("{line}");
        }
    }

    pub fn print_table(&self) {
        let (name, value, limit) = ("figure", "value", "limit");
        let (ratio, goal_, unit) = ("ratio", "goal", "unit");
        println!("{name:<36} {value:>14} {limit:>14} {ratio:>7} {goal_:>12}  {unit}");
        for figure in &self.all {
            let limit = figure.limit.map_or("-".into(), number);
            let ratio = figure.limit.map_or("-".into(), |limit| {
                format!("{:.2}", figure.value / limit.max(f64::MIN_POSITIVE))
            });
            let value = number(figure.value);
            let (name, unit, goal) = (figure.name, figure.unit, goal(figure));
            println!("{name:<36} {value:>14} {limit:>14} {ratio:>7} {goal:>12}  {unit}");
        }
    }
}

/// The goal and whether it is met.
fn goal(figure: &Figure) -> String {
    let Some((goal, better)) = figure.goal else { return "-".into() };
    let met = match better {
        Better::Higher => figure.value >= goal,
        Better::Lower => figure.value <= goal,
    };
    let sign = if better == Better::Higher { ">=" } else { "<=" };
    format!("{sign}{} {}", number(goal), if met { "met" } else { "MISSED" })
}

fn number(value: f64) -> String {
    if value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}
