//! Documents of each dialect, written in every way that JSON allows, drawn from a seed.

use super::MIN_USER_BYTES;

/// Writes documents with odd white space, escapes, numbers, duplicate keys and nesting, drawn from a seed.
pub(super) struct DocumentGenerator {
    state: u64,
    /// What has been written: fixed text, and the texts of blocks.
    pub(super) pieces: Vec<Piece>,
}

pub(super) enum Piece {
    Fixed(String),
    Block(String),
}

impl DocumentGenerator {
    fn draw(&mut self, below: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).unwrap() % below
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let at = self.draw(from.len());
        from[at]
    }

    fn put(&mut self, text: &str) {
        let space = self.pick(&["", "", "", " ", "\n", "\t \r\n"]);
        self.pieces.push(Piece::Fixed(format!("{space}{text}")));
        let space = self.pick(&["", "", " ", "\n  "]);
        self.pieces.push(Piece::Fixed(space.to_owned()));
    }

    fn escaped(&mut self, bytes: usize) -> String {
        const PIECES: [&str; 14] = [
            "plain words ",
            "\\n",
            "\\\"",
            "\\\\",
            "\\u00e9",
            "\\ud83d\\ude00",
            "\\/",
            "é",
            "😀",
            "{[",
            "]}",
            "\\t",
            ":,",
            "\\u005c",
        ];
        let mut text = String::new();
        while text.len() < bytes {
            text.push_str(self.pick(&PIECES));
        }
        text
    }

    fn block(&mut self) {
        let bytes = MIN_USER_BYTES + self.draw(500);
        let text = self.escaped(bytes);
        let space = self.pick(&["", " ", "\n"]);
        self.pieces.push(Piece::Fixed(format!("{space}\"")));
        self.pieces.push(Piece::Block(text));
        self.pieces.push(Piece::Fixed("\"".to_owned()));
    }

    fn small(&mut self) {
        let bytes = self.draw(60);
        let text = self.escaped(bytes);
        self.put(&format!("\"{text}\""));
    }

    /// A member that means nothing to the dialects, with a comma behind it; perhaps twice, perhaps deep.
    fn noise(&mut self) {
        for _ in 0..self.draw(3) {
            let depth = self.draw(200);
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            let value = self.pick(&[
                "1.0",
                "-0",
                "1e5",
                "1234567890123456789012345678901234567890",
                "null",
                "true",
                "\"\\u00e9\\/\"",
                "{\"content\":[],\"content\":2}",
            ]);
            self.put("\"x\"");
            self.put(":");
            self.put(&format!("{open}{value}{close}"));
            self.put(",");
        }
    }

    fn text_part(&mut self, kind: &str, block: bool) {
        self.put("{");
        self.put(&format!("\"type\":\"{kind}\",\"text\":"));
        if block {
            self.block()
        } else {
            self.small()
        }
        self.put("}");
    }

    fn content(&mut self, kind: &str, block: bool) {
        if self.draw(2) == 0 {
            if block {
                self.block()
            } else {
                self.small()
            }
            return;
        }
        self.put("[");
        self.text_part(kind, block);
        if self.draw(2) == 0 {
            self.put(",");
            self.put("{\"type\":\"image\",\"source\":{\"data\":\"AAAA\"}}");
        }
        self.put("]");
    }

    fn anthropic_message(&mut self) {
        let block = self.draw(2) == 0;
        self.put("{");
        self.noise();
        match self.draw(3) {
            0 => {
                self.put("\"role\":\"user\",\"content\":");
                self.content("text", block);
            }
            1 => {
                self.put("\"content\":[{\"type\":\"tool_result\",\"cache_control\":{\"type\":\"ephemeral\"},");
                self.noise();
                self.put("\"tool_use_id\":\"t1\",\"content\":");
                self.content("text", block);
                self.put("}],\"role\":\"user\"");
            }
            _ => {
                self.put(
                    "\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":",
                );
                let text = self.escaped(3000);
                self.put(&format!("\"{text}\",\"signature\":\"s\"}},{{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"Read\",\"input\":{{\"content\":1.0}}}}]"));
            }
        }
        self.put("}");
    }

    fn chat_message(&mut self) {
        let block = self.draw(2) == 0;
        self.put("{");
        self.noise();
        match self.draw(3) {
            0 => {
                self.put("\"role\":\"user\",\"content\":");
                self.content("text", block);
            }
            1 => {
                self.put("\"content\":");
                self.content("text", block);
                self.put(",\"role\":\"tool\",\"tool_call_id\":\"c1\"");
            }
            _ => self.put("\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]"),
        }
        self.put("}");
    }

    fn responses_item(&mut self) {
        let block = self.draw(2) == 0;
        self.put("{");
        self.noise();
        match self.draw(3) {
            0 => {
                self.put("\"type\":\"message\",\"role\":\"user\",\"content\":");
                self.content("input_text", block);
            }
            1 => {
                self.put("\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":");
                self.content("input_text", block);
            }
            _ => self.put("\"type\":\"reasoning\",\"encrypted_content\":\"AAAA\",\"summary\":[]"),
        }
        self.put("}");
    }

    /// A document of the dialect at this place in the list of dialects.
    pub(super) fn document(seed: u64, dialect: usize) -> Self {
        let mut generator = Self {
            state: seed,
            pieces: Vec::new(),
        };
        let (member, message): (&str, fn(&mut Self)) = [
            ("messages", Self::anthropic_message as fn(&mut Self)),
            ("messages", Self::chat_message),
            ("input", Self::responses_item),
        ][dialect];
        generator.put("{");
        generator.noise();
        generator.put(&format!("\"model\":\"m\",\"{member}\":["));
        for index in 0..generator.draw(8) {
            if index > 0 {
                generator.put(",");
            }
            message(&mut generator);
        }
        generator.put("]");
        generator.put(",\"y\":[]}");
        generator
    }

    /// The document, with `form` in place of each block if there is one.
    pub(super) fn text(&self, form: Option<&str>) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Fixed(text) => text.clone(),
            Piece::Block(text) => form.unwrap_or(text).to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }
}
