//! The server's plan as steps, and which of them costs how much.

use serde_json::Value;

use crate::model::{ExplainStep, Explanation, SafeText};

/// Steps that are kept: a table of a thousand parts has that many.
const STEPS: usize = 300;
/// Characters of a condition that are kept.
const TEXT: usize = 400;

/// Conditions and keys, as the server names them and as they are called here.
const DETAILS: [(&str, &str); 17] = [
    ("Index Cond", "index finds"),
    ("Recheck Cond", "checks again"),
    ("TID Cond", "row address"),
    ("Hash Cond", "joins on"),
    ("Merge Cond", "joins on"),
    ("Join Filter", "joins where"),
    ("Filter", "filter"),
    ("One-Time Filter", "only if"),
    ("Sort Key", "sorts by"),
    ("Presorted Key", "sorted already by"),
    ("Group Key", "groups by"),
    ("Cache Key", "remembers by"),
    ("Order By", "ordered by"),
    ("Function Call", "calls"),
    ("Workers Planned", "workers"),
    ("Subplan Name", "is"),
    ("Conflict Resolution", "on conflict"),
];

/// Reads the answer of `explain (format json)`.
pub(super) fn parse(json: &Value) -> Result<Explanation, String> {
    let plan = json.get(0).and_then(|first| first.get("Plan")).ok_or("the server told no plan")?;
    let mut explanation = Explanation {
        cost: number(plan, "Total Cost"),
        rows: number(plan, "Plan Rows"),
        ..Explanation::default()
    };
    let budget = explanation.cost;
    walk(plan, &mut explanation, 0, 1.0, budget);
    let most =
        explanation.steps.iter().enumerate().max_by(|(_, a), (_, b)| a.own_cost.total_cmp(&b.own_cost));
    if let Some((at, _)) = most.filter(|(_, step)| step.own_cost > 0.0 && explanation.steps.len() > 1) {
        explanation.steps[at].costliest = true;
    }
    Ok(explanation)
}

/// Takes in a step and what feeds it. `budget` is what it may cost with those, over all its runs; what
/// they do not use up is its own. Where they would use more (a limit that stops early), theirs shrinks.
fn walk(plan: &Value, into: &mut Explanation, depth: u16, loops: f64, budget: f64) {
    let children = plan.get("Plans").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let whole = number(plan, "Total Cost") * loops;
    let shrunk = if whole > 0.0 { budget / whole } else { 1.0 };
    let wants: Vec<(f64, f64)> = children
        .iter()
        .map(|child| {
            let runs = loops * runs(plan, children, child);
            (runs, number(child, "Total Cost") * runs * shrunk)
        })
        .collect();
    let wanted: f64 = wants.iter().map(|(_, want)| want).sum();
    let scale = if wanted > budget && wanted > 0.0 { budget / wanted } else { 1.0 };
    let own = wanted.mul_add(-scale, budget).max(0.0);
    if into.steps.len() < STEPS {
        let step = step(plan, depth, loops, own, into.cost);
        into.steps.push(step);
    } else {
        into.left_out = into.left_out.saturating_add(1);
    }
    for (child, (runs, want)) in children.iter().zip(wants) {
        walk(child, into, depth.saturating_add(1), runs, want * scale);
    }
}

/// How often a step is run for each run of the one above: the inner side of a nested loop once for each
/// row of the outer. (What it remembers between its runs is not counted: its cost is cut to the budget.)
fn runs(plan: &Value, children: &[Value], child: &Value) -> f64 {
    let inner = word(child, "Parent Relationship") == "Inner";
    if word(plan, "Node Type") != "Nested Loop" || !inner {
        return 1.0;
    }
    let outer = children.iter().find(|one| word(one, "Parent Relationship") == "Outer");
    outer.map_or(1.0, |outer| number(outer, "Plan Rows").max(1.0))
}

fn step(plan: &Value, depth: u16, loops: f64, own_cost: f64, whole: f64) -> ExplainStep {
    let details = DETAILS.iter().filter_map(|(key, label)| {
        let text = match plan.get(key)? {
            Value::String(text) => text.clone(),
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        Some(((*label).to_owned(), SafeText::new(&text.chars().take(TEXT).collect::<String>())))
    });
    ExplainStep {
        depth,
        what: SafeText::new(&what(plan)),
        relation: relation(plan).map(|name| SafeText::new(&name)),
        rows: number(plan, "Plan Rows"),
        startup_cost: number(plan, "Startup Cost"),
        total_cost: number(plan, "Total Cost"),
        loops,
        own_cost,
        share: if whole > 0.0 { own_cost / whole } else { 0.0 },
        costliest: false,
        details: details.collect(),
        beware: Vec::new(),
    }
}

/// `Parallel Seq Scan on public.users u`, as PostgreSQL's own text form has it.
fn what(plan: &Value) -> String {
    let kind = word(plan, "Node Type");
    let mut name = match (kind, word(plan, "Strategy"), word(plan, "Operation")) {
        ("Aggregate", "Hashed", _) => "HashAggregate".to_owned(),
        ("Aggregate", "Sorted", _) => "GroupAggregate".to_owned(),
        ("Aggregate", "Mixed", _) => "MixedAggregate".to_owned(),
        ("ModifyTable", _, operation) if !operation.is_empty() => operation.to_owned(),
        _ => kind.to_owned(),
    };
    match word(plan, "Join Type") {
        "" | "Inner" => {}
        join => {
            let bare = name.trim_end_matches(" Join").to_owned();
            name = format!("{bare} {join} Join");
        }
    }
    if let partial @ ("Partial" | "Finalize") = word(plan, "Partial Mode") {
        name = format!("{partial} {name}");
    }
    if plan.get("Parallel Aware").and_then(Value::as_bool) == Some(true) {
        name = format!("Parallel {name}");
    }
    if word(plan, "Scan Direction") == "Backward" {
        name.push_str(" Backward");
    }
    let index = word(plan, "Index Name");
    if !index.is_empty() {
        name.push_str(if kind == "Bitmap Index Scan" { " on " } else { " using " });
        name.push_str(index);
    }
    let on = relation(plan).or_else(|| {
        ["CTE Name", "Function Name", "Tuplestore Name"]
            .iter()
            .find_map(|key| plan.get(key).and_then(Value::as_str).map(str::to_owned))
    });
    let alias = word(plan, "Alias");
    if let Some(on) = on {
        name.push_str(" on ");
        name.push_str(&on);
        let last = on.rsplit('.').next().unwrap_or_default();
        if !alias.is_empty() && alias != last {
            name.push(' ');
            name.push_str(alias);
        }
    }
    name
}

fn relation(plan: &Value) -> Option<String> {
    let name = plan.get("Relation Name")?.as_str()?;
    match word(plan, "Schema") {
        "" | "public" => Some(name.to_owned()),
        schema => Some(format!("{schema}.{name}")),
    }
}

fn word<'a>(plan: &'a Value, key: &str) -> &'a str {
    plan.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(plan: &Value, key: &str) -> f64 {
    plan.get(key).and_then(Value::as_f64).filter(|number| number.is_finite()).unwrap_or(0.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;
    use serde_json::json;

    #[test]
    fn costs_are_shared_out_once_and_the_greatest_is_marked() {
        let plan = json!([{ "Plan": {
            "Node Type": "Limit", "Startup Cost": 0.0, "Total Cost": 110.0, "Plan Rows": 10,
            "Plans": [{
                "Node Type": "Nested Loop", "Parent Relationship": "Outer", "Join Type": "Left",
                "Startup Cost": 0.0, "Total Cost": 1100.0, "Plan Rows": 100,
                "Plans": [
                    { "Node Type": "Seq Scan", "Parent Relationship": "Outer", "Relation Name": "orders",
                      "Schema": "shop", "Alias": "o", "Parallel Aware": true, "Filter": "(paid)",
                      "Startup Cost": 0.0, "Total Cost": 90.0, "Plan Rows": 100 },
                    { "Node Type": "Index Scan", "Parent Relationship": "Inner", "Relation Name": "users",
                      "Schema": "public", "Alias": "users", "Index Name": "users_pkey",
                      "Startup Cost": 0.0, "Total Cost": 10.0, "Plan Rows": 1 },
                ],
            }],
        }}]);
        let told = parse(&plan).expect("a plan");
        let names: Vec<_> = told.steps.iter().map(|step| step.what.as_str()).collect();
        assert_eq!(
            names,
            [
                "Limit",
                "Nested Loop Left Join",
                "Parallel Seq Scan on shop.orders o",
                "Index Scan using users_pkey on users"
            ]
        );
        assert_eq!(told.steps[3].loops.to_bits(), 100.0_f64.to_bits());
        let shares: Vec<_> = told.steps.iter().map(|step| format!("{:.0}", step.share * 100.0)).collect();
        assert_eq!(shares, ["0", "1", "8", "91"], "a limit stops early: all shrink alike");
        assert_eq!(told.steps.iter().position(|step| step.costliest), Some(3));
        assert_eq!(told.steps[2].details, [("filter".to_owned(), SafeText::new("(paid)"))]);
    }

    #[test]
    fn an_answer_that_is_no_plan_is_said() {
        assert!(parse(&json!([])).is_err());
        assert!(parse(&json!({ "Plan": 1 })).is_err());
    }

    #[test]
    fn torn_plans_are_read_or_refused() {
        let text = r#"[{"Plan":{"Node Type":"Limit","Startup Cost":0.0,"Total Cost":110.0,"Plan Rows":10,"Plans":[
            {"Node Type":"Seq Scan","Parent Relationship":"Outer","Relation Name":"o","Schema":"s","Alias":"o",
            "Parallel Aware":true,"Filter":"(paid)","Startup Cost":0.0,"Total Cost":90.0,"Plan Rows":100}]}}]"#;
        each_torn_text(text, |torn| {
            serde_json::from_str(torn).ok().map(|plan: Value| parse(&plan));
        });
    }
}
