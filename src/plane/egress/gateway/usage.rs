//! What an answer of a model says of its cost: read as it passes, which it does unchanged.
//!
//! A stream's counts are cumulative: of each field the last value that is a number stands (0 is
//! one, `null` and absence are none), and nothing is summed. What cannot be read leaves a field
//! absent, never 0.

use crate::limits::{MODEL_ANSWER_BYTES_MAX, MODEL_LINE_BYTES_MAX, MODEL_WORD_BYTES_MAX};
use crate::model::json::Json;
use crate::model::reason::Reason;
use crate::plane::egress::wire::Watch;

/// What is known of one answer so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// Why it ended.
    pub stop: Option<String>,
    /// The kind of error that it ended in.
    pub error: Option<String>,
    /// Tokens of the request that were read anew.
    pub input: Option<u64>,
    /// Tokens of the answer.
    pub output: Option<u64>,
    /// Tokens of the request that came from a cache.
    pub cache_read: Option<u64>,
    /// Tokens of the request that went into a cache.
    pub cache_write: Option<u64>,
}

/// Reads an answer as it passes.
#[derive(Debug)]
pub struct Reader {
    form: Form,
    usage: Usage,
    /// The line, or the whole text, as far as it has come.
    text: Vec<u8>,
    /// What is being read is too long, and is left out.
    over: bool,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A stream of events (`text/event-stream`).
    Events,
    /// One JSON text.
    Whole,
    /// Something that nothing is read of.
    Other,
}

impl Reader {
    /// To read an answer of this form.
    #[must_use]
    pub fn new(form: Form) -> Reader {
        Reader { form, usage: Usage::default(), text: Vec::new(), over: false }
    }

    /// What was read, now that it has ended.
    #[must_use]
    pub fn into_usage(mut self) -> Usage {
        match self.form {
            Form::Whole if !self.over => self.usage.message(&self.text),
            Form::Events if !self.over => self.line(),
            Form::Whole | Form::Events | Form::Other => {}
        }
        self.usage
    }

    fn events(&mut self, mut data: &[u8]) {
        while let Some(end) = memchr::memchr2(b'\n', b'\r', data) {
            let (line, rest) = data.split_at_checked(end).unwrap_or((data, &[]));
            self.keep(line, MODEL_LINE_BYTES_MAX);
            if !self.over {
                self.line();
            }
            self.text.clear();
            self.over = false;
            data = rest.get(1..).unwrap_or_default();
        }
        self.keep(data, MODEL_LINE_BYTES_MAX);
    }

    fn keep(&mut self, data: &[u8], most: usize) {
        if self.over || self.text.len() + data.len() > most {
            self.over = true;
            self.text.clear();
            return;
        }
        self.text.extend_from_slice(data);
    }

    fn line(&mut self) {
        if let Some(data) = self.text.strip_prefix(b"data:") {
            let data = data.trim_ascii();
            // Texts are most of a stream, and say nothing of its cost.
            let telling = [&b"\"usage\""[..], b"\"model\"", b"\"error\"", b"_reason\"", b"\"id\""];
            if telling.iter().any(|word| memchr::memmem::find(data, word).is_some()) {
                self.usage.message(data);
            }
        }
    }
}

impl Watch for Reader {
    fn see(&mut self, data: &[u8]) -> Result<(), Reason> {
        match self.form {
            Form::Events => self.events(data),
            Form::Whole => self.keep(data, MODEL_ANSWER_BYTES_MAX),
            Form::Other => {}
        }
        Ok(())
    }
}

impl Usage {
    /// One JSON text of either provider: a whole answer, or an event that holds one or its end.
    fn message(&mut self, text: &[u8]) {
        let Ok(event) = serde_json::from_slice::<Json>(text) else { return };
        self.object(&event);
        for inner in ["message", "response", "delta"] {
            if let Some(inner) = event.get(inner) {
                self.object(inner);
            }
        }
        let choices = event.get("choices").and_then(Json::as_array);
        for choice in choices.into_iter().flatten() {
            word(&mut self.stop, choice.get("finish_reason"));
        }
    }

    fn object(&mut self, object: &Json) {
        word(&mut self.id, object.get("id"));
        word(&mut self.model, object.get("model"));
        word(&mut self.stop, object.get("stop_reason"));
        // The `status` of one of OpenAI's responses.
        let is_response = object.get("object").and_then(Json::as_str) == Some("response");
        word(&mut self.stop, object.get("status").filter(|_| is_response));
        let error = object.get("error");
        word(&mut self.error, error.and_then(|error| error.get("type")));
        if let Some(usage) = object.get("usage") {
            self.counts(usage);
        }
    }

    fn counts(&mut self, usage: &Json) {
        for name in ["input_tokens", "prompt_tokens"] {
            count(&mut self.input, usage.get(name));
        }
        for name in ["output_tokens", "completion_tokens"] {
            count(&mut self.output, usage.get(name));
        }
        count(&mut self.cache_read, usage.get("cache_read_input_tokens"));
        count(&mut self.cache_write, usage.get("cache_creation_input_tokens"));
        for details in ["input_tokens_details", "prompt_tokens_details"] {
            let cached = usage.get(details).and_then(|details| details.get("cached_tokens"));
            count(&mut self.cache_read, cached);
        }
    }

    /// The details of a record.
    #[must_use]
    pub fn details(&self) -> Vec<(&'static str, Json)> {
        let words = [
            ("request_id", &self.id),
            ("model", &self.model),
            ("stop_reason", &self.stop),
            ("error_type", &self.error),
        ];
        let counts = [
            ("input_tokens", self.input),
            ("output_tokens", self.output),
            ("cache_read_tokens", self.cache_read),
            ("cache_write_tokens", self.cache_write),
        ];
        let words = words.into_iter().filter_map(|(name, text)| Some((name, text.clone()?.into())));
        let counts = counts.into_iter().filter_map(|(name, count)| Some((name, count?.into())));
        words.chain(counts).collect()
    }
}

fn word(kept: &mut Option<String>, stated: Option<&Json>) {
    if let Some(text) = stated.and_then(Json::as_str).filter(|text| !text.is_empty()) {
        let end = text.floor_char_boundary(MODEL_WORD_BYTES_MAX);
        *kept = text.get(..end).map(str::to_owned);
    }
}

fn count(kept: &mut Option<u64>, stated: Option<&Json>) {
    if let Some(number) = stated.and_then(Json::as_u64) {
        *kept = Some(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: Form, text: &str, pieces: usize) -> Usage {
        let mut reader = Reader::new(form);
        for piece in text.as_bytes().chunks(pieces) {
            reader.see(piece).unwrap();
        }
        reader.into_usage()
    }

    fn told(usage: &Usage) -> String {
        let part = |(name, value): (&str, Json)| format!("{name}={value}");
        usage.details().into_iter().map(part).collect::<Vec<_>>().join(" ")
    }

    const ANTHROPIC: &str = concat!(
        "event: message_start\n",
        r#"data: {"type":"message_start","message":{"id":"msg_1","model":"m-1","#,
        r#""stop_reason":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":3,"#,
        r#""cache_read_input_tokens":0,"output_tokens":1}}}"#,
        "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n",
        r#"data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"\"usage\""}}"#,
        "\r\n\r\n",
        r#"data:{"type":"message_delta","delta":{"stop_reason":"end_turn"},"#,
        r#""usage":{"output_tokens":40,"input_tokens":null}}"#,
        "\n\ndata: {\"type\":\"message_stop\"}\n\n",
    );

    #[test]
    fn what_a_stream_says_last_stands() {
        let expected = "request_id=\"msg_1\" model=\"m-1\" stop_reason=\"end_turn\" \
                        input_tokens=12 output_tokens=40 cache_read_tokens=0 cache_write_tokens=3";
        for pieces in [1, 7, 64, 10_000] {
            assert_eq!(told(&read(Form::Events, ANTHROPIC, pieces)), expected, "{pieces}");
        }
    }

    const MESSAGE: &str = concat!(
        r#"{"id":"msg_2","model":"m","stop_reason":"tool_use","#,
        r#""usage":{"input_tokens":1,"output_tokens":2}}"#,
    );
    const OVERLOADED: &str = r#"{"type":"error","error":{"type":"overloaded_error"}}"#;
    const COMPLETION: &str = concat!(
        r#"data: {"id":"c1","model":"g","choices":[{"finish_reason":"stop"}],"usage":null}"#,
        "\n",
        r#"data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6,"#,
        r#""prompt_tokens_details":{"cached_tokens":4}}}"#,
        "\ndata: [DONE]\n",
    );
    const RESPONSE: &str = concat!(
        r#"data: {"type":"response.completed","response":{"id":"r","object":"response","#,
        r#""status":"completed","model":"g","usage":{"input_tokens":7,"output_tokens":8}}}"#,
    );

    #[test]
    fn every_form_of_an_answer() {
        for (form, text, expected) in [
            (Form::Whole, MESSAGE, "id=msg_2 model=m stop=tool_use in=1 out=2"),
            (Form::Whole, r#"{"input_tokens":9}"#, ""),
            (Form::Whole, OVERLOADED, "error=overloaded_error"),
            (Form::Events, COMPLETION, "id=c1 model=g stop=stop in=5 out=6 read=4"),
            (Form::Events, RESPONSE, "id=r model=g stop=completed in=7 out=8"),
            (Form::Events, "data: {\"usage\": nonsense\ndata: 7\n: comment\n", ""),
            (Form::Other, MESSAGE, ""),
        ] {
            let mut told = told(&read(form, text, 11)).replace('"', "");
            for (long, short) in [
                ("request_id", "id"),
                ("stop_reason", "stop"),
                ("error_type", "error"),
                ("cache_read_tokens", "read"),
                ("input_tokens", "in"),
                ("output_tokens", "out"),
            ] {
                told = told.replace(long, short);
            }
            assert_eq!(told, expected, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_left_out_and_the_next_line_read() {
        let long = format!("data: {{\"model\":\"{}\"}}\n", "x".repeat(MODEL_LINE_BYTES_MAX));
        let text = format!("{long}data: {{\"model\":\"m\"}}\n");
        assert_eq!(told(&read(Form::Events, &text, 4_096)), "model=\"m\"");
        let name = "é".repeat(MODEL_WORD_BYTES_MAX);
        let usage = read(Form::Whole, &format!("{{\"model\":\"{name}\"}}"), 4_096);
        assert_eq!(usage.model.unwrap().len(), MODEL_WORD_BYTES_MAX);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_in_any_pieces(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400),
            pieces in 1_usize..50,
        ) {
            for form in [Form::Events, Form::Whole, Form::Other] {
                let mut whole = Reader::new(form);
                whole.see(&bytes).unwrap();
                let mut cut = Reader::new(form);
                bytes.chunks(pieces).for_each(|piece| cut.see(piece).unwrap());
                proptest::prop_assert_eq!(whole.into_usage(), cut.into_usage());
            }
        }
    }
}
