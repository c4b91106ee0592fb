//! From the parser's tree to our own: statements. Words are read in `word`.
//!
//! Every node that is not handled makes the whole text unparsable: a tree that is understood in
//! part would be judged in part.

use super::tokens::{has_blank, split};
use crate::model::doubt::Doubt;
use crate::shell::frontend::Reading;
use crate::shell::ir::{Assigned, Assignment, Link, Node, Piece, Script, Simple, Word};
use crate::shell::spans::Spans;
use crate::shell::word::{Mode, WordReader};
use shuck_ast as ast;
use std::cell::RefCell;
use std::ops::Range;

/// Lowers the tree of one text.
pub(super) struct Lowering<'a> {
    pub(super) source: &'a str,
    reading: Reading<'a>,
    /// The bodies of quoted here-documents seen so far.
    pub(super) quoted: RefCell<Vec<Range<usize>>>,
}

pub(super) fn unsupported(what: &str) -> Doubt {
    Doubt::Unparsable(format!("{what} is not read here"))
}

impl<'a> Lowering<'a> {
    pub(super) fn new(source: &'a str, reading: Reading<'a>) -> Self {
        Lowering { source, reading, quoted: RefCell::default() }
    }

    pub(super) fn sequence(&self, sequence: &ast::StmtSeq) -> Result<Script, Doubt> {
        let nodes = sequence.iter().map(|stmt| self.statement(stmt));
        Ok(Script { nodes: nodes.collect::<Result<_, _>>()? })
    }

    fn statement(&self, stmt: &ast::Stmt) -> Result<Node, Doubt> {
        let mut node = match &stmt.command {
            ast::Command::Simple(simple) => {
                self.check_tokens(simple, &stmt.redirects)?;
                Node::Simple(Simple {
                    assignments: self.assignments(&simple.assignments)?,
                    words: self.words(std::iter::once(&simple.name).chain(&simple.args))?,
                    redirects: self.redirects(&stmt.redirects)?,
                })
            }
            ast::Command::Builtin(builtin) => self.builtin(builtin, &stmt.redirects)?,
            ast::Command::Decl(declaration) => {
                self.redirected(self.declaration(declaration)?, &stmt.redirects)?
            }
            ast::Command::Binary(binary) => {
                self.redirected(self.binary(binary)?, &stmt.redirects)?
            }
            ast::Command::Compound(compound) => {
                self.check_ends(stmt)?;
                self.redirected(self.compound(compound)?, &stmt.redirects)?
            }
            ast::Command::Function(function) => {
                self.check_ends(stmt)?;
                let mut names = function.static_names();
                let (Some(name), None) = (names.next(), names.next()) else {
                    return Err(unsupported("a function without one plain name"));
                };
                let body = Box::new(self.statement(&function.body)?);
                let node = Node::Function { name: name.as_str().to_owned(), body };
                self.redirected(node, &stmt.redirects)?
            }
            ast::Command::AnonymousFunction(_) => return Err(unsupported("a nameless function")),
        };
        if stmt.negated {
            node = Node::Not(Box::new(without_bangs(node)));
        }
        match stmt.terminator {
            Some(ast::StmtTerminator::Background(ast::BackgroundOperator::Plain)) => {
                Ok(Node::Background(Box::new(node)))
            }
            Some(ast::StmtTerminator::Background(_)) => Err(unsupported("`&|`")),
            Some(ast::StmtTerminator::Semicolon) | None => Ok(node),
        }
    }

    fn redirected(&self, node: Node, redirects: &[ast::Redirect]) -> Result<Node, Doubt> {
        if redirects.is_empty() {
            return Ok(node);
        }
        Ok(Node::Redirected { node: Box::new(node), redirects: self.redirects(redirects)? })
    }

    fn builtin(
        &self,
        builtin: &ast::BuiltinCommand,
        redirects: &[ast::Redirect],
    ) -> Result<Node, Doubt> {
        let (name, code, extra, assignments) = match builtin {
            ast::BuiltinCommand::Break(c) => ("break", &c.depth, &c.extra_args, &c.assignments),
            ast::BuiltinCommand::Continue(c) => {
                ("continue", &c.depth, &c.extra_args, &c.assignments)
            }
            ast::BuiltinCommand::Return(c) => ("return", &c.code, &c.extra_args, &c.assignments),
            ast::BuiltinCommand::Exit(c) => ("exit", &c.code, &c.extra_args, &c.assignments),
        };
        let mut words = vec![Word::quoted(name)];
        words.extend(self.words(code.iter().chain(extra))?);
        Ok(Node::Simple(Simple {
            assignments: self.assignments(assignments)?,
            words,
            redirects: self.redirects(redirects)?,
        }))
    }

    fn declaration(&self, declaration: &ast::DeclClause) -> Result<Node, Doubt> {
        let mut words = Vec::new();
        let mut assignments = self.assignments(&declaration.assignments)?;
        for operand in &declaration.operands {
            match operand {
                ast::DeclOperand::Flag(word) | ast::DeclOperand::Dynamic(word) => {
                    words.push(self.word(word)?);
                }
                ast::DeclOperand::Name(reference) if reference.subscript.is_none() => {
                    words.push(Word::quoted(reference.name.as_str()));
                }
                ast::DeclOperand::Name(_) => return Err(unsupported("a declared array element")),
                ast::DeclOperand::Assignment(assignment) => {
                    assignments.push(self.assignment(assignment)?);
                }
            }
        }
        let builtin = declaration.variant.as_str().to_owned();
        Ok(Node::Declare { builtin, words, assignments })
    }

    /// A left-deep tree of `|`, `&&` and `||`, folded without recursion: it may be long.
    fn binary(&self, binary: &ast::BinaryCommand) -> Result<Node, Doubt> {
        let mut spine = vec![(binary.op, &*binary.right)];
        let mut left = &*binary.left;
        while let ast::Command::Binary(inner) = &left.command
            && left.redirects.is_empty()
            && !left.negated
            && left.terminator.is_none()
        {
            spine.push((inner.op, &*inner.right));
            left = &inner.left;
        }
        let mut node = self.statement(left)?;
        for (op, right) in spine.into_iter().rev() {
            let right = self.statement(right)?;
            node = match (op, node) {
                (ast::BinaryOp::Pipe | ast::BinaryOp::PipeAll, Node::Pipe(mut stages)) => {
                    stages.push(right);
                    Node::Pipe(stages)
                }
                (ast::BinaryOp::Pipe | ast::BinaryOp::PipeAll, other) => {
                    Node::Pipe(vec![other, right])
                }
                (ast::BinaryOp::And, node) => chain(node, Link::And, right),
                (ast::BinaryOp::Or, node) => chain(node, Link::Or, right),
            };
        }
        Ok(node)
    }

    fn compound(&self, compound: &ast::CompoundCommand) -> Result<Node, Doubt> {
        use ast::CompoundCommand as C;
        match compound {
            C::If(command) => {
                let mut arms = vec![(
                    self.sequence(&command.condition)?,
                    self.sequence(&command.then_branch)?,
                )];
                for (condition, body) in &command.elif_branches {
                    arms.push((self.sequence(condition)?, self.sequence(body)?));
                }
                let otherwise =
                    command.else_branch.as_ref().map(|body| self.sequence(body)).transpose()?;
                Ok(Node::If { arms, otherwise })
            }
            C::For(command) => {
                let [ast::ForTarget { name: Some(name), .. }] = command.targets.as_slice() else {
                    return Err(unsupported("a loop without one plain variable"));
                };
                let words = match &command.words {
                    Some(words) => Some(self.words(words)?),
                    None => None,
                };
                self.for_loop(name, words, &command.body)
            }
            C::Select(command) => {
                self.for_loop(&command.variable, Some(self.words(&command.words)?), &command.body)
            }
            C::ArithmeticFor(command) => {
                let parts = [
                    (command.init_span, &command.init_ast),
                    (command.condition_span, &command.condition_ast),
                    (command.step_span, &command.step_ast),
                ];
                let mut words = Vec::new();
                for (span, tree) in parts {
                    words.extend(self.arithmetic(span, tree.as_ref())?);
                }
                let condition = Script { nodes: vec![Node::Test(words)] };
                Ok(Node::Loop { condition, body: self.sequence(&command.body)? })
            }
            C::While(command) => self.round(&command.condition, &command.body),
            C::Until(command) => {
                // It goes on while the condition fails: what that leaves is not what `while` sees.
                let failed = Node::Not(Box::new(Node::Group(self.sequence(&command.condition)?)));
                let condition = Script { nodes: vec![failed] };
                Ok(Node::Loop { condition, body: self.sequence(&command.body)? })
            }
            C::Case(command) => self.case(command),
            C::Subshell(body) => Ok(Node::Subshell(self.sequence(body)?)),
            C::BraceGroup(body) => Ok(Node::Group(self.sequence(body)?)),
            C::Arithmetic(command) => {
                let word = self.arithmetic(command.expr_span, command.expr_ast.as_ref())?;
                Ok(Node::Test(word.into_iter().collect()))
            }
            C::Time(command) => {
                let nodes = command.command.iter().map(|stmt| self.statement(stmt));
                Ok(Node::Group(Script { nodes: nodes.collect::<Result<_, _>>()? }))
            }
            C::Conditional(command) => {
                let mut words = Vec::new();
                self.condition(&command.expression, &mut words)?;
                Ok(Node::Test(words))
            }
            C::Coproc(command) => {
                let body = Node::Background(Box::new(self.statement(&command.body)?));
                Ok(Node::coprocess(command.name.as_str(), body))
            }
            C::Repeat(_) | C::Foreach(_) | C::Always(_) => Err(unsupported("a zsh construct")),
        }
    }

    fn round(&self, condition: &ast::StmtSeq, body: &ast::StmtSeq) -> Result<Node, Doubt> {
        Ok(Node::Loop { condition: self.sequence(condition)?, body: self.sequence(body)? })
    }

    fn for_loop(
        &self,
        variable: &ast::Name,
        words: Option<Vec<Word>>,
        body: &ast::StmtSeq,
    ) -> Result<Node, Doubt> {
        let variable = variable.as_str().to_owned();
        Ok(Node::For { variable, words, body: self.sequence(body)? })
    }

    fn case(&self, command: &ast::CaseCommand) -> Result<Node, Doubt> {
        let mut words = vec![self.word(&command.word)?];
        let mut arms = Vec::new();
        for item in &command.cases {
            if item.terminator != ast::CaseTerminator::Break {
                return Err(unsupported("a `case` that falls through"));
            }
            for pattern in &item.patterns {
                words.push(self.pattern(pattern)?);
            }
            arms.push(self.sequence(&item.body)?);
        }
        Ok(Node::Case { words, arms })
    }

    fn condition(
        &self,
        expression: &ast::ConditionalExpr,
        words: &mut Vec<Word>,
    ) -> Result<(), Doubt> {
        match expression {
            ast::ConditionalExpr::Binary(binary) => {
                use ast::ConditionalBinaryOp as Op;
                let from = words.len();
                self.condition(&binary.left, words)?;
                self.condition(&binary.right, words)?;
                if matches!(
                    binary.op,
                    Op::ArithmeticEq
                        | Op::ArithmeticNe
                        | Op::ArithmeticLe
                        | Op::ArithmeticGe
                        | Op::ArithmeticLt
                        | Op::ArithmeticGt
                ) {
                    words.iter_mut().skip(from).for_each(evaluate);
                }
                Ok(())
            }
            ast::ConditionalExpr::Unary(unary) => {
                use ast::ConditionalUnaryOp as Op;
                let from = words.len();
                self.condition(&unary.expr, words)?;
                if matches!(unary.op, Op::VariableSet | Op::ReferenceVariable) {
                    words.iter_mut().skip(from).for_each(evaluate);
                }
                Ok(())
            }
            ast::ConditionalExpr::Parenthesized(inner) => self.condition(&inner.expr, words),
            ast::ConditionalExpr::Word(word) | ast::ConditionalExpr::Regex(word) => {
                let read = self.embedded(word.span, &Spans::of_word(word), false)?;
                words.push(read);
                Ok(())
            }
            ast::ConditionalExpr::Pattern(pattern) => {
                words.push(self.pattern(pattern)?);
                Ok(())
            }
            ast::ConditionalExpr::VarRef(reference) => {
                words.extend(self.subscript(reference)?);
                Ok(())
            }
        }
    }

    /// A pattern or expression of which only the commands in it matter.
    fn embedded(&self, span: ast::Span, spans: &Spans, evaluated: bool) -> Result<Word, Doubt> {
        let (start, end) = (span.start.offset(), span.end.offset());
        let doubt = Doubt::Expansion("pattern");
        let mode = if evaluated { Mode::Quoted } else { Mode::Plain };
        let word = self.reader().read(start, end, mode, spans)?;
        let (evaluates, holds) =
            if evaluated { (vec![word], Vec::new()) } else { (Vec::new(), vec![word]) };
        let piece = Piece::Opaque { doubt, quoted: true, evaluates, holds, of: None };
        Ok(Word { pieces: vec![piece] })
    }

    fn pattern(&self, pattern: &ast::Pattern) -> Result<Word, Doubt> {
        self.embedded(pattern.span, &Spans::of_pattern(pattern), false)
    }

    fn arithmetic(
        &self,
        span: Option<ast::Span>,
        tree: Option<&ast::ArithmeticExprNode>,
    ) -> Result<Option<Word>, Doubt> {
        let mut spans = Spans::default();
        if let Some(tree) = tree {
            spans.arithmetic(tree);
        }
        span.map(|span| self.embedded(span, &spans, true)).transpose()
    }

    pub(super) fn reader(&self) -> WordReader<'a> {
        WordReader { source: self.source, reading: self.reading }
    }

    /// Words, without the empty one that stands for a missing name.
    fn words<'w>(
        &self,
        words: impl IntoIterator<Item = &'w ast::Word>,
    ) -> Result<Vec<Word>, Doubt> {
        let present = |word: &&ast::Word| word.span.start.offset() < word.span.end.offset();
        let mut all = Vec::new();
        let mut words = words.into_iter().filter(present).peekable();
        while let Some(word) = words.next() {
            let (mut span, mut spans) = (word.span, Spans::of_word(word));
            // The parser ends some words at a bracket; for the shell only a blank would.
            while let Some(next) =
                words.next_if(|next| next.span.start.offset() == span.end.offset())
            {
                span.end = next.span.end;
                spans.word(next);
            }
            all.extend(split(self.unchecked(span, &spans)?)?);
        }
        Ok(all)
    }

    pub(super) fn word(&self, word: &ast::Word) -> Result<Word, Doubt> {
        self.read(word.span, &Spans::of_word(word))
    }

    fn read(&self, span: ast::Span, spans: &Spans) -> Result<Word, Doubt> {
        let word = self.unchecked(span, spans)?;
        if has_blank(&word) { Err(unsupported("a brace over several words")) } else { Ok(word) }
    }

    fn unchecked(&self, span: ast::Span, spans: &Spans) -> Result<Word, Doubt> {
        self.reader().read(span.start.offset(), span.end.offset(), Mode::Plain, spans)
    }

    fn assignments(&self, assignments: &[ast::Assignment]) -> Result<Vec<Assignment>, Doubt> {
        assignments.iter().map(|assignment| self.assignment(assignment)).collect()
    }

    fn assignment(&self, assignment: &ast::Assignment) -> Result<Assignment, Doubt> {
        let subscript = self.subscript(&assignment.target)?;
        let spans = Spans::of_value(&assignment.value);
        let mut value = match &assignment.value {
            ast::AssignmentValue::Scalar(word) => Assigned::Scalar(self.read(word.span, &spans)?),
            ast::AssignmentValue::Compound(array) => {
                let mut words = Vec::new();
                for element in &array.elements {
                    words.push(self.read(element.value().span(), &spans)?);
                    if let ast::ArrayElem::Keyed { key, .. }
                    | ast::ArrayElem::KeyedAppend { key, .. } = element
                    {
                        words.push(self.embedded(key.span(), &spans, true)?);
                    }
                }
                Assigned::Array(words)
            }
        };
        if let (Assigned::Scalar(word), Some(subscript)) = (&mut value, &subscript) {
            word.pieces.extend(subscript.pieces.iter().cloned());
        }
        Ok(Assignment {
            name: assignment.target.name.as_str().to_owned(),
            indexed: subscript.is_some(),
            append: assignment.append,
            value,
        })
    }

    fn subscript(&self, reference: &ast::VarRef) -> Result<Option<Word>, Doubt> {
        let Some(subscript) = &reference.subscript else { return Ok(None) };
        let mut spans = Spans::default();
        spans.subscript(subscript);
        self.embedded(subscript.span(), &spans, true).map(Some)
    }
}

/// `! ! x` negates twice; the parser takes the second `!` for a program.
fn without_bangs(mut node: Node) -> Node {
    let bang = Word { pieces: vec![Piece::Text { text: "!".to_owned(), quoted: false }] };
    if let Node::Simple(simple) = &mut node {
        let bangs = simple.words.iter().take_while(|word| **word == bang).count();
        simple.words.drain(..bangs);
    }
    node
}

/// What was held by a condition's operand is evaluated by its operator.
fn evaluate(word: &mut Word) {
    for piece in &mut word.pieces {
        if let Piece::Opaque { evaluates, holds, .. } = piece {
            evaluates.append(holds);
        }
    }
}

fn chain(node: Node, link: Link, right: Node) -> Node {
    match node {
        Node::Chain { first, mut rest } => {
            rest.push((link, right));
            Node::Chain { first, rest }
        }
        first => Node::Chain { first: Box::new(first), rest: vec![(link, right)] },
    }
}
