//! The spans of a word's nested constructs, gathered from the parser's tree.

use crate::shell::spans::Spans;
use shuck_ast::{
    ArithmeticExpr, ArithmeticExprNode, ArithmeticLvalue, ArrayElem, AssignmentValue,
    BourneParameterExpansion, ParameterOp, Pattern, PatternPart, Subscript, VarRef, Word, WordPart,
    WordPartNode,
};

impl Spans {
    /// The spans in one word.
    pub(super) fn of_word(word: &Word) -> Spans {
        let mut spans = Spans::default();
        spans.word(word);
        spans
    }

    /// The spans in a pattern of `case` or `[[`.
    pub(super) fn of_pattern(pattern: &Pattern) -> Spans {
        let mut spans = Spans::default();
        spans.pattern(pattern);
        spans
    }

    /// The spans in an assignment's value.
    pub(super) fn of_value(value: &AssignmentValue) -> Spans {
        let mut spans = Spans::default();
        match value {
            AssignmentValue::Scalar(word) => spans.word(word),
            AssignmentValue::Compound(array) => {
                for element in &array.elements {
                    spans.word(&element.value().word);
                    if let ArrayElem::Keyed { key, .. } | ArrayElem::KeyedAppend { key, .. } =
                        element
                    {
                        spans.subscript(key);
                    }
                }
            }
        }
        spans
    }

    /// The spans in an arithmetic expression.
    pub(super) fn arithmetic(&mut self, node: &ArithmeticExprNode) {
        match &node.kind {
            ArithmeticExpr::Number(_) | ArithmeticExpr::Variable(_) => {}
            ArithmeticExpr::ShellWord(word) => self.word(word),
            ArithmeticExpr::Indexed { index, .. } => self.arithmetic(index),
            ArithmeticExpr::Parenthesized { expression: inner }
            | ArithmeticExpr::Unary { expr: inner, .. }
            | ArithmeticExpr::Postfix { expr: inner, .. } => self.arithmetic(inner),
            ArithmeticExpr::Binary { left, right, .. } => {
                self.arithmetic(left);
                self.arithmetic(right);
            }
            ArithmeticExpr::Conditional { condition, then_expr, else_expr } => {
                self.arithmetic(condition);
                self.arithmetic(then_expr);
                self.arithmetic(else_expr);
            }
            ArithmeticExpr::Assignment { target, value, .. } => {
                if let ArithmeticLvalue::Indexed { index, .. } = target {
                    self.arithmetic(index);
                }
                self.arithmetic(value);
            }
        }
    }

    /// One more construct.
    pub(super) fn add(&mut self, span: shuck_ast::Span, arithmetic: bool) {
        self.insert(span.start.offset()..span.end.offset(), arithmetic);
    }

    /// The spans in one more word.
    pub(super) fn word(&mut self, word: &Word) {
        for part in &word.parts {
            self.part(part);
        }
    }

    /// The spans in a subscript.
    pub(super) fn subscript(&mut self, subscript: &Subscript) {
        if let Some(word) = subscript.word_ast() {
            self.word(word);
        }
    }

    fn reference(&mut self, reference: &VarRef) {
        if let Some(subscript) = &reference.subscript {
            self.subscript(subscript);
        }
    }

    fn pattern(&mut self, pattern: &Pattern) {
        for part in &pattern.parts {
            match &part.kind {
                PatternPart::Group { patterns, .. } => {
                    for inner in patterns {
                        self.pattern(inner);
                    }
                }
                PatternPart::Word(word) => self.word(word),
                PatternPart::Literal(_)
                | PatternPart::AnyString
                | PatternPart::AnyChar
                | PatternPart::CharClass(_) => {}
            }
        }
    }

    fn part(&mut self, part: &WordPartNode) {
        match &part.kind {
            WordPart::Literal(_) | WordPart::SingleQuoted { .. } | WordPart::Variable(_) => return,
            WordPart::DoubleQuoted { parts, .. } => {
                for inner in parts {
                    self.part(inner);
                }
                return;
            }
            WordPart::Parameter(parameter) => {
                if let Some(bourne) = parameter.bourne() {
                    self.parameter(bourne);
                }
            }
            WordPart::ArithmeticExpansion { expression_word_ast, .. } => {
                self.word(expression_word_ast);
            }
            WordPart::ParameterExpansion { reference, operand_word_ast, .. }
            | WordPart::IndirectExpansion { reference, operand_word_ast, .. } => {
                self.reference(reference);
                if let Some(word) = operand_word_ast {
                    self.word(word);
                }
            }
            WordPart::Substring { reference, offset_word_ast, length_word_ast, .. }
            | WordPart::ArraySlice { reference, offset_word_ast, length_word_ast, .. } => {
                self.reference(reference);
                self.word(offset_word_ast);
                if let Some(word) = length_word_ast {
                    self.word(word);
                }
            }
            WordPart::Length(reference)
            | WordPart::ArrayAccess(reference)
            | WordPart::ArrayLength(reference)
            | WordPart::ArrayIndices(reference)
            | WordPart::Transformation { reference, .. } => self.reference(reference),
            WordPart::CommandSubstitution { .. }
            | WordPart::ProcessSubstitution { .. }
            | WordPart::PrefixMatch { .. }
            | WordPart::ZshQualifiedGlob(_) => {}
        }
        self.add(part.span, matches!(part.kind, WordPart::ArithmeticExpansion { .. }));
    }

    /// The spans inside one `${...}`.
    pub(super) fn parameter(&mut self, expansion: &BourneParameterExpansion) {
        if let Some(word) = expansion.operand_word_ast() {
            self.word(word);
        }
        if let Some(word) = expansion.offset_word_ast() {
            self.word(word);
        }
        if let Some(word) = expansion.length_word_ast() {
            self.word(word);
        }
        match expansion {
            BourneParameterExpansion::Access { reference }
            | BourneParameterExpansion::Length { reference }
            | BourneParameterExpansion::Indices { reference }
            | BourneParameterExpansion::Indirect { reference, .. }
            | BourneParameterExpansion::Slice { reference, .. }
            | BourneParameterExpansion::Transformation { reference, .. } => {
                self.reference(reference);
            }
            BourneParameterExpansion::Operation { reference, operator, .. } => {
                self.reference(reference);
                if let Some(word) = operator.replacement_word_ast() {
                    self.word(word);
                }
                if let Some(pattern) = pattern_of(operator) {
                    self.pattern(pattern);
                }
            }
            BourneParameterExpansion::PrefixMatch { .. } => {}
        }
    }
}

fn pattern_of(operator: &ParameterOp) -> Option<&Pattern> {
    match operator {
        ParameterOp::RemovePrefixShort { pattern }
        | ParameterOp::RemovePrefixLong { pattern }
        | ParameterOp::RemoveSuffixShort { pattern }
        | ParameterOp::RemoveSuffixLong { pattern }
        | ParameterOp::ReplaceFirst { pattern, .. }
        | ParameterOp::ReplaceAll { pattern, .. } => Some(pattern),
        ParameterOp::UseDefault
        | ParameterOp::AssignDefault
        | ParameterOp::UseReplacement
        | ParameterOp::Error
        | ParameterOp::UpperFirst
        | ParameterOp::UpperAll
        | ParameterOp::LowerFirst
        | ParameterOp::LowerAll => None,
    }
}
