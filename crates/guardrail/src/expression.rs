//! Expressions of CEL: read within limits, checked for what they name, evaluated within a budget.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use cel::{
    Context, Env, ExecutionError, FunctionContext, Value,
    common::{
        ast::{CallExpr, EntryExpr, Expr, IdedExpr},
        types::{CelBool, CelMap, CelString},
        value::{CowVal, Val},
    },
    parser::PrattParser,
};
use ipnet::IpNet;
use weft_diagnostics::Code;
use weft_intent::suggest::Suggester;

use crate::{codes, value::one_line};

/// Characters of an expression; a rule that needs more is several rules.
const MOST_CHARACTERS: usize = 2000;
/// Parentheses and the like within each other.
const MOST_NESTED: u16 = 32;
/// Operations within each other: a chain of `+` nests, too.
const MOST_DEPTH: usize = 64;
/// Items that one rule may look at in all.
const MOST_ITEMS: u64 = 1_000_000;

/// Charges for the items that a loop is about to look at.
const SPEND: &str = "@spend";

/// An expression that is well formed and names what there is.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    ast: IdedExpr,
    /// As it is written.
    pub(crate) text: String,
    /// The keys that it reads from the variables, such as `spec`, `spine`, `count`; indices end a path.
    pub(crate) paths: Vec<Vec<String>>,
}

/// What is wrong with an expression.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: String,
    /// Where, in characters of the expression's only line from 0.
    pub(crate) at: Option<u32>,
}

impl Expression {
    /// Reads an expression over these variables.
    pub(crate) fn parse(text: &str, variables: &[&str]) -> Result<Self, Mistake> {
        let bad = |message: String, at| Mistake {
            code: codes::BAD_EXPRESSION,
            message,
            help: "write an expression of CEL, such as `spec.spine.count % 2 == 0`".to_owned(),
            at,
        };
        if text.chars().count() > MOST_CHARACTERS {
            return Err(bad(format!("the expression has more than {MOST_CHARACTERS} characters"), None));
        }
        let mut ast = PrattParser::new().max_recursion_depth(MOST_NESTED).parse(text).map_err(|errors| {
            let first = errors.errors.first();
            let message = first.map_or("it has no meaning", |error| &error.msg);
            let message = message.trim_start_matches("Syntax error: ");
            let at = first.filter(|error| error.pos.0 == 1).and_then(|error| u32::try_from(error.pos.1 - 1).ok());
            bad(format!("the expression cannot be read: {}", one_line(message)), at)
        })?;
        let mut names = Names { variables, bound: Vec::new(), paths: Vec::new(), unknown: None, deepest: 0 };
        names.visit(&mut ast, 0);
        if names.deepest > MOST_DEPTH {
            return Err(bad(format!("the expression has more than {MOST_DEPTH} operations within each other"), None));
        }
        match names.unknown {
            Some((message, help)) => Err(Mistake { code: codes::UNKNOWN_VARIABLE, message, help, at: None }),
            None => Ok(Self { ast, text: text.to_owned(), paths: names.paths }),
        }
    }

    /// Tells whether the expression reads a variable.
    pub(crate) fn reads(&self, variable: &str) -> bool {
        self.paths.iter().any(|path| path.first().is_some_and(|name| name == variable))
    }
}

/// Walks an expression: finds what it names, and puts a charge before every loop.
struct Names<'a> {
    variables: &'a [&'a str],
    /// The variables of the loops around.
    bound: Vec<String>,
    paths: Vec<Vec<String>>,
    /// The first unknown name, and the help.
    unknown: Option<(String, String)>,
    deepest: usize,
}

impl Names<'_> {
    fn visit(&mut self, expression: &mut IdedExpr, depth: usize) {
        self.deepest = self.deepest.max(depth);
        if depth > MOST_DEPTH {
            return;
        }
        if let Some(path) = self.path(&expression.expr) {
            self.paths.push(path);
            return;
        }
        let depth = depth + 1;
        match &mut expression.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                let name = name.clone();
                self.variable(&name);
            }
            Expr::Select(select) => self.visit(&mut select.operand, depth),
            Expr::Call(call) => {
                self.function(&call.func_name, call.target.is_some());
                call.target.iter_mut().for_each(|target| self.visit(target, depth));
                call.args.iter_mut().for_each(|argument| self.visit(argument, depth));
            }
            Expr::List(list) => list.elements.iter_mut().for_each(|element| self.visit(element, depth)),
            Expr::Map(map) => map.entries.iter_mut().for_each(|entry| self.entry(&mut entry.expr, depth)),
            Expr::Struct(made) => {
                self.fail(
                    format!("there is no type `{}`", made.type_name),
                    "write a map, `{\"key\": value}`".to_owned(),
                );
            }
            Expr::Comprehension(looped) => {
                self.visit(&mut looped.iter_range, depth);
                let range = std::mem::take(&mut looped.iter_range);
                let call = CallExpr { func_name: SPEND.to_owned(), target: None, args: vec![range] };
                looped.iter_range = IdedExpr { id: 0, expr: Expr::Call(call) };
                self.visit(&mut looped.accu_init, depth);
                let outside = self.bound.len();
                self.bound.push(looped.iter_var.clone());
                self.bound.extend(looped.iter_var2.clone());
                self.bound.push(looped.accu_var.clone());
                for part in [&mut looped.loop_cond, &mut looped.loop_step, &mut looped.result] {
                    self.visit(part, depth);
                }
                self.bound.truncate(outside);
            }
        }
    }

    fn entry(&mut self, entry: &mut EntryExpr, depth: usize) {
        match entry {
            EntryExpr::MapEntry(entry) => {
                self.visit(&mut entry.key, depth);
                self.visit(&mut entry.value, depth);
            }
            EntryExpr::StructField(field) => self.visit(&mut field.value, depth),
        }
    }

    /// Returns the variable and the keys of an expression such as `spec.spine.count`.
    fn path(&self, expression: &Expr) -> Option<Vec<String>> {
        let mut keys = Vec::new();
        let mut inner = expression;
        while let Expr::Select(select) = inner {
            keys.push(select.field.clone());
            inner = &select.operand.expr;
        }
        let Expr::Ident(name) = inner else { return None };
        let known = self.variables.contains(&name.as_str()) && !self.bound.contains(name);
        keys.push(name.clone());
        keys.reverse();
        known.then_some(keys)
    }

    fn variable(&mut self, name: &str) {
        let known = self.bound.iter().any(|bound| bound == name) || environment().types().find_type(name).is_some();
        if !known {
            let help = match name {
                "item" | "index" => "`item` and `index` need an `each`".to_owned(),
                _ => Suggester::default().help(name, self.variables.iter().copied(), "variables").unwrap_or_default(),
            };
            self.fail(format!("there is no variable `{}`", name.escape_debug()), help);
        }
    }

    fn function(&mut self, name: &str, member: bool) {
        // Operators have names that no function can have.
        if name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_function(name, member) {
            let nearest = Suggester::default().nearest(name, FUNCTIONS).map(|near| format!("did you mean `{near}`?"));
            let help = nearest.unwrap_or_else(|| "the functions are those of CEL, and `within`".to_owned());
            self.fail(format!("there is no function `{}`", name.escape_debug()), help);
        }
    }

    fn fail(&mut self, message: String, help: String) {
        self.unknown.get_or_insert((message, help));
    }
}

/// The functions that a wrong name may have meant.
const FUNCTIONS: [&str; 15] = [
    "all",
    "bool",
    "contains",
    "double",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "has",
    "int",
    "map",
    "matches",
    "size",
    "startsWith",
    "within",
];

fn environment() -> Env {
    Env::stdlib()
}

/// Tells whether there is a function of this name: one that is called wrongly fails otherwise than one that is not there.
fn is_function(name: &str, member: bool) -> bool {
    let target = member.then(|| Box::new(IdedExpr { id: 0, expr: Expr::List(Default::default()) }));
    let call = CallExpr { func_name: name.to_owned(), target, args: Vec::new() };
    let answer = Value::resolve(&IdedExpr { id: 0, expr: Expr::Call(call) }, &Evaluator::new().context());
    !matches!(answer, Err(ExecutionError::UndeclaredReference(_)))
}

/// Evaluates the expressions of one rule, all within one budget.
pub(crate) struct Evaluator {
    environment: Arc<Env>,
    left: Arc<AtomicU64>,
}

impl Evaluator {
    pub(crate) fn new() -> Self {
        Self { environment: Arc::new(environment()), left: Arc::new(AtomicU64::new(MOST_ITEMS)) }
    }

    /// Returns a context without variables.
    pub(crate) fn context(&self) -> Context<'static, 'static> {
        let mut context = Context::with_env(self.environment.clone());
        let left = self.left.clone();
        let spend: Function = Box::new(move |call| {
            let range = call.args.pop().ok_or(ExecutionError::MissingArgumentOrTarget)?;
            spend(range, &left)
        });
        let within: Function = Box::new(|call| {
            let mut texts =
                call.this.iter().chain(&call.args).filter_map(|value| value.downcast_ref::<CelString<'_>>());
            let (Some(inner), Some(outer), None) = (texts.next(), texts.next(), texts.next()) else {
                return Err(call.error("it takes two texts, such as `\"10.1.0.0/24\".within(\"10.0.0.0/8\")`"));
            };
            let network = |text: &CelString<'_>| {
                let text = text.inner();
                let network =
                    text.parse::<IpNet>().or_else(|_| text.parse().map(|address: std::net::IpAddr| address.into()));
                network.map_err(|_| call.error(format!("`{}` is neither a prefix nor an address", one_line(text))))
            };
            let (inner, outer) = (network(inner)?, network(outer)?);
            Ok(CowVal::owned(CelBool::from(outer.contains(&inner))))
        });
        // Neither name is one of the standard library.
        let added = context.add_function(SPEND, spend).and_then(|()| context.add_function("within", within));
        debug_assert!(added.is_ok(), "{added:?}");
        context
    }

    /// Evaluates an expression.
    pub(crate) fn evaluate(&self, expression: &Expression, context: &Context<'_, '_>) -> Result<Value, Mistake> {
        Value::resolve(&expression.ast, context).map_err(|error| failure(&error))
    }
}

/// A function of an expression, as the interpreter takes it.
type Function = Box<
    dyn for<'context, 'call> Fn(
            &mut FunctionContext<'context, 'call>,
        ) -> Result<CowVal<'context, 'call>, ExecutionError>
        + Send
        + Sync,
>;

/// Takes the items that a loop is about to look at from what is left, and returns what it loops over. Of a map these are
/// its keys, here in their order.
fn spend<'b, 'v>(range: CowVal<'b, 'v>, left: &AtomicU64) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let items = range.as_sizer().map_or(0, |sizer| sizer.size().into_inner());
    let cost = u64::try_from(items).unwrap_or(0) + 1;
    if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost)).is_err() {
        left.store(0, Ordering::Relaxed);
        return Err(ExecutionError::function_error(SPEND, "too many items"));
    }
    if range.downcast_ref::<CelMap<'_>>().is_none() {
        return Ok(range);
    }
    let Ok(Value::Map(map)) = Value::try_from(range.as_ref()) else { return Ok(range) };
    let mut keys: Vec<Value> = map.map.keys().map(Value::from).collect();
    keys.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let keys: Box<dyn Val> = Value::List(keys.into()).try_into()?;
    Ok(CowVal::from(keys))
}

/// Returns why an expression has no value, in words.
fn failure(error: &ExecutionError) -> Mistake {
    let guard = "ask for what may be missing with `has(...)` first, such as `has(spec.site) && spec.site == \"b1\"`";
    let compare = "compare values of one type: texts with texts, numbers with numbers";
    let (message, help) = match error {
        ExecutionError::NoSuchKey(key) => (format!("there is no key `{}`", one_line(key)), guard),
        ExecutionError::IndexOutOfBounds(index) => {
            (format!("the list has no item {}", crate::value::shown(index)), guard)
        }
        ExecutionError::NoSuchOverload(error) => {
            let types = error.argument_types().join(" and ");
            (format!("`{}` does not take {types}", operator(error.function())), compare)
        }
        ExecutionError::UnsupportedBinaryOperator(name, left, right) => {
            (format!("`{name}` does not take {} and {}", left.type_of(), right.type_of()), compare)
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            (format!("{} and {} cannot be compared", left.type_of(), right.type_of()), compare)
        }
        ExecutionError::UnexpectedType { got, want } => (format!("it is of type {got}, and {want} is needed"), compare),
        ExecutionError::FunctionError { function, .. } if function == SPEND => {
            return Mistake {
                code: codes::TOO_COSTLY,
                message: format!("the rule looks at more than {MOST_ITEMS} items"),
                help: "look at fewer items: use `each`, and one loop instead of loops within loops".to_owned(),
                at: None,
            };
        }
        ExecutionError::FunctionError { function, message } => {
            (format!("`{function}` fails: {}", one_line(message)), guard)
        }
        other => (one_line(&other.to_string()), guard),
    };
    Mistake { code: codes::NO_ANSWER, message, help: help.to_owned(), at: None }
}

/// Returns an operator as it is written: the interpreter calls `<` `_<_`.
fn operator(name: &str) -> &str {
    match name {
        "_[_]" => "[]",
        "@in" => "in",
        name => name.trim_matches('_'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Result<String, String> {
        let spec = serde_json::json!({
            "spine": { "count": 3 }, "ratio": 1.5, "prefix": "10.1.0.0/24",
            "rules": [{ "from": "any" }, { "from": "segment/web", "ports": [80, 443] }],
            "labels": { "b": "2", "a": "1", "c": "3" },
        });
        let expression = Expression::parse(text, &["spec"]).map_err(|mistake| mistake.message)?;
        let evaluator = Evaluator::new();
        let mut context = evaluator.context();
        context.add_variable_from_value("spec", crate::value::from_json(&spec));
        let value = evaluator.evaluate(&expression, &context).map_err(|mistake| mistake.message)?;
        Ok(crate::value::shown(&value))
    }

    #[test]
    fn expressions_have_the_values_that_cel_gives_them() {
        for (text, expected) in [
            ("spec.spine.count % 2 == 1", "true"),
            ("spec.rules.all(rule, rule.from != 'any')", "false"),
            ("spec.rules.exists(rule, has(rule.ports) && 443 in rule.ports)", "true"),
            ("has(spec.site)", "false"),
            ("spec.rules.filter(rule, has(rule.ports)).map(rule, size(rule.ports))", "[2]"),
            ("spec.prefix.within('10.0.0.0/8') && within('10.1.0.7', spec.prefix)", "true"),
            ("spec.labels.map(key, key)", "[\"a\",\"b\",\"c\"]"),
            ("spec.rules[1].from.matches('^segment/')", "true"),
            ("spec.ratio > 1", "true"),
            ("type(spec.spine.count) == int", "true"),
            ("[[1, 2], [3]].map(list, list.map(n, n * 2))", "[[2,4],[6]]"),
        ] {
            assert_eq!(answer(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_answered_is_told_in_words() {
        for (text, expected) in [
            ("spec.spine.count %", "the expression cannot be read"),
            ("spce.spine", "there is no variable `spce`"),
            ("item == 1", "there is no variable `item`"),
            ("spec.rules.al(r, true)", "there is no function `al`"),
            ("sise(spec.rules) > 1", "there is no function `sise`"),
            ("spec.rules.all(r, x == 1)", "there is no variable `x`"),
            ("spec.site == 'b1'", "there is no key `site`"),
            ("spec.spine.count > 'a'", "does not take"),
            ("spec.rules[7].from == ''", "the list has no item 7"),
            ("spec.spine.count / 0 == 1", "zero"),
            ("'x'.within('10.0.0.0/8')", "`within` fails: `x` is neither a prefix nor an address"),
            ("spec.spine.all(x, x > 1)", "does not take"),
        ] {
            let message = answer(text).expect_err(text);
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn no_expression_takes_for_ever() {
        // On a thread with the least stack that a test or the server may have.
        let small = std::thread::Builder::new().stack_size(1 << 20);
        small
            .spawn(|| {
                let many = "[0,1,2,3,4,5,6,7,8,9]";
                let loops = (0..8).fold("true".to_owned(), |inner, n| format!("{many}.all(v{n}, {inner})"));
                assert_eq!(answer(&loops), Err("the rule looks at more than 1000000 items".to_owned()));
                assert!(answer(&format!("{}1{}", "[".repeat(900), "]".repeat(900))).is_err());
                for deep in ["(", "[", "{", "-(", "!(!!(", "f(", "x.f(", "{1:", "true?(", "has(", "a["] {
                    let _ = answer(&deep.repeat(1990 / deep.len()));
                    let close = deep.replace(['(', '['], ")").replace(|c: char| c != ')', "");
                    let repeated = 900 / deep.len();
                    let _ = answer(&format!("{}1{}", deep.repeat(repeated), close.repeat(repeated)));
                }
                assert!(answer(&format!("1{} == 1", "+1".repeat(900))).is_err());
                assert!(answer(&format!("1{} == 61", "+1".repeat(60))).is_ok_and(|value| value == "true"));
                assert!(answer(&format!("{}1{} == 1", "(".repeat(30), ")".repeat(30))).is_ok());
                assert!(answer(&"1 + ".repeat(2000)).is_err());
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
