//! A request or an answer as a reader takes it that forgives nothing.

/// A message that can be read in one way only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    /// The header lines in their order, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body without its framing.
    pub body: Vec<u8>,
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    /// An answer's that ends with its connection.
    Close,
}

impl Message {
    /// The head of a message, without the empty line behind it.
    ///
    /// # Panics
    /// When a line is not as RFC 9112 has it: bare line ends, folded lines, white space around a name.
    pub(super) fn of(head: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(head).into_owned();
        let mut lines = Vec::new();
        for line in head.split(|byte| *byte == b'\n') {
            lines.push(line.strip_suffix(b"\r").unwrap_or(line));
        }
        let ends = head.iter().filter(|byte| **byte == b'\n').count();
        let pairs = head.windows(2).filter(|pair| pair == b"\r\n").count();
        let returns = head.iter().filter(|byte| **byte == b'\r').count();
        assert!(
            ends == pairs && returns == pairs,
            "a bare line end in {shown:?}"
        );
        let mut lines = lines.into_iter();
        let start = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let headers = lines.map(|line| {
            let at = line.iter().position(|byte| *byte == b':');
            let (name, value) = line.split_at(at.unwrap_or_else(|| panic!("no name in {shown:?}")));
            let is_token =
                |byte: &u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(byte);
            assert!(
                !name.is_empty() && name.iter().all(is_token),
                "a header's name in {shown:?}"
            );
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            (name, value[1..].trim_ascii().to_vec())
        });
        let headers = headers.collect();
        Self {
            start,
            headers,
            body: Vec::new(),
        }
    }

    /// All values of a header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<String> {
        let values = self.headers.iter().filter(|(key, _)| key == name);
        values
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// An answer's status code; 0 for a request.
    #[must_use]
    pub fn status(&self) -> u16 {
        let code = self.start.strip_prefix("HTTP/1.1 ").unwrap_or_default();
        code.get(..3)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0)
    }

    /// How its body ends.
    ///
    /// # Panics
    /// When that could be understood in two ways.
    pub(super) fn framing(&self) -> Framing {
        let lengths = self.header("content-length");
        let codings = self.header("transfer-encoding");
        let all = (lengths.as_slice(), codings.as_slice());
        match all {
            ([], [coding]) => {
                assert_eq!(coding, "chunked", "a coding that nobody asked for");
                Framing::Chunked
            }
            ([length], []) => {
                assert!(
                    !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()),
                    "{length:?} is no length"
                );
                Framing::Length(length.parse().expect("a length"))
            }
            ([], []) => match self.status() {
                0 | 100..=199 | 204 | 304 => Framing::Length(0),
                _ => Framing::Close,
            },
            _ => panic!("framed twice: {:?} {all:?}", self.start),
        }
    }
}
