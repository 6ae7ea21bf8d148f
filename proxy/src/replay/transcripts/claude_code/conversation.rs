//! What happened in a conversation: the session's own, or a sub-agent's.

use std::collections::HashMap;

use super::chain::{Chain, Follows};
use super::entry::{Entry, Kind, Link, Response};
use super::messages::{Message, Units};
use crate::replay::transcripts::{Event, Reader, Request, Session, USUAL_HEAD_TOKENS, head_tokens};

/// The messages that are made of a file may be so many times its size: each is made once, and again after steps back and compactions.
const MOST_TIMES: u64 = 4;

/// What is made of a small file may be more.
const MIN_BUDGET: u64 = 1 << 20;

/// Why entries are left out of a conversation that would take more.
const TOO_MANY_BRANCHES: &str = "entries of conversations with too many branches";

/// What happened in a conversation so far.
pub(super) struct Conversation {
    /// The client's own name for it; empty as long as it is not known.
    pub(super) id: String,
    chain: Chain,
    units: Units,
    /// The unit of each response.
    responses: HashMap<[Box<str>; 2], usize>,
    /// The units that the messages so far are of.
    path: Vec<usize>,
    /// Whether the messages are of units beyond the path, too.
    is_cut: bool,
    /// When the last of the client's side was there.
    last_user_ms: Option<u64>,
    messages: Vec<Sent>,
    events: Vec<Event>,
    /// The first request of each history, by its event, and how many bytes its messages have.
    first_requests: Vec<(usize, usize)>,
    /// Whether the next request is such a first one.
    begins: bool,
    /// How many bytes of messages may yet be made.
    budget: u64,
}

/// A message of the conversation as it is.
struct Sent {
    /// Its event.
    event: usize,
    is_user: bool,
    /// The first of its units, by its place.
    first: usize,
    /// Bytes of the conversation up to its end.
    bytes: usize,
}

impl Conversation {
    /// One of which nothing is known, in a file of so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            id: String::new(),
            chain: Chain::default(),
            units: Units::default(),
            responses: HashMap::new(),
            path: Vec::new(),
            is_cut: false,
            last_user_ms: None,
            messages: Vec::new(),
            events: Vec::new(),
            first_requests: Vec::new(),
            begins: true,
            budget: (bytes * MOST_TIMES).max(MIN_BUDGET),
        }
    }

    /// Adds the next entry in the file.
    pub(super) fn add(&mut self, link: Link, entry: Entry, reader: &mut Reader) {
        if self.budget == 0 {
            return reader.skipped.line(TOO_MANY_BRANCHES);
        }
        let is_repeated = link
            .uuid
            .as_deref()
            .is_some_and(|uuid| self.chain.has(uuid));
        if is_repeated {
            return self.repeat(entry);
        }
        let follows = match (&entry, &link.parent_uuid, &link.uuid) {
            (
                Entry::Compaction(_)
                | Entry::User {
                    is_summary: true, ..
                },
                ..,
            ) => Follows::Nothing,
            (_, Some(parent), _) => Follows::Entry(parent),
            (_, None, Some(_)) => Follows::Nothing,
            (_, None, None) => Follows::Last,
        };
        let previous = self.chain.previous(follows);
        match entry {
            Entry::Other => self.chain.add(link.uuid, previous, None),
            Entry::User { blocks, at_ms, .. } => {
                let unit = (!blocks.is_empty()).then(|| self.units.add(true, at_ms));
                if let Some(unit) = unit {
                    self.units.extend(unit, blocks);
                }
                self.chain.add(link.uuid, previous, unit);
            }
            Entry::Assistant(response) => self.answer(link, previous, response, reader),
            Entry::Compaction(kept) => {
                self.cut_back(0);
                self.chain.add(link.uuid, previous, None);
                if let Some((first, anchor)) = kept {
                    self.chain.keep(&first, anchor);
                }
            }
        }
    }

    /// The session, as far as it is known.
    pub(super) fn finish(self) -> Session {
        let head = self.head_tokens().unwrap_or(USUAL_HEAD_TOKENS);
        Session {
            id: self.id,
            client: "Claude Code",
            path: "/v1/messages",
            head_tokens: head,
            events: self.events,
        }
    }

    /// Tokens of tools and system prompt: what the first request of a history states beyond its messages. The least of them counts, for a
    /// transcript may begin within a history; those with long messages only where there is no other, for their estimate is less exact.
    fn head_tokens(&self) -> Option<u64> {
        let requests = self.first_requests.iter();
        let heads = requests.filter_map(|(event, bytes)| match self.events.get(*event) {
            Some(Event::Request(request)) => {
                let head = head_tokens(request, *bytes)?;
                Some((head * 2 < request.usage?.input, head))
            }
            _ => None,
        });
        heads.min().map(|(_, head)| head)
    }

    /// Takes note of an entry that was there before: it may state the usage anew.
    fn repeat(&mut self, entry: Entry) {
        if let Entry::Assistant(response) = entry
            && let Some(unit) = response.id.as_ref().and_then(|id| self.responses.get(id))
        {
            self.state(*unit, &response);
        }
    }

    /// Adds an entry of a response: the first one tells that there was a request.
    fn answer(
        &mut self,
        link: Link,
        previous: Option<usize>,
        response: Response,
        reader: &mut Reader,
    ) {
        let known = match &response.id {
            Some(id) => self.responses.get(id).copied(),
            None => previous
                .map(|node| self.chain.unit(node))
                .filter(|unit| !self.units.all[*unit].is_user),
        };
        let unit = known.unwrap_or_else(|| self.units.add(false, response.at_ms));
        if known.is_none() {
            if let Some(id) = &response.id {
                self.responses.insert(id.clone(), unit);
            }
            let is_sidechain = link.is_sidechain == Some(true);
            if reader.is_new(response.id.as_ref(), is_sidechain) {
                self.request(unit, previous, &response);
            }
        }
        self.state(unit, &response);
        if let Some(place) = self.units.all[unit].place {
            // It was taken for whole when the next request went out.
            self.cut_back(place);
        }
        self.units.extend(unit, response.blocks);
        self.chain.add(link.uuid, previous, Some(unit));
    }

    /// Notes what an entry of a response tells of its request.
    fn state(&mut self, unit: usize, response: &Response) {
        let request = self.units.all[unit].request;
        let event = request.and_then(|event| self.events.get_mut(event));
        if let Some(Event::Request(request)) = event {
            request.usage = response.usage.or(request.usage);
            let mut blocks = response.blocks.iter();
            request.thinking |= blocks.any(|block| block.kind == Kind::Thinking);
        }
    }

    /// The request of which a response came, with all up to `previous`.
    fn request(&mut self, unit: usize, previous: Option<usize>, response: &Response) {
        let (met, new) = {
            let all = &self.units.all;
            self.chain
                .units_since(previous, |unit| all[unit].place.is_some())
        };
        let common = met.and_then(|unit| self.units.all[unit].place);
        self.go_to(common.map_or(0, |place| place + 1), new);
        if self.messages.is_empty() {
            return;
        }
        let at_ms = self.last_user_ms.or(response.at_ms).unwrap_or(0);
        self.units.all[unit].request = Some(self.events.len());
        if std::mem::take(&mut self.begins) {
            self.first_requests.push((self.events.len(), self.bytes()));
        }
        self.events.push(Event::Request(Request {
            at_ms: response.at_ms.map_or(at_ms, |answered| at_ms.min(answered)),
            model: response.model.to_string(),
            usage: None,
            thinking: false,
        }));
    }

    /// The next request shares with the messages so far what the first `keep` units make, at most.
    fn cut_back(&mut self, keep: usize) {
        for unit in self.path.drain(keep..) {
            self.units.all[unit].place = None;
        }
        self.is_cut = true;
    }

    /// Makes the conversation that of the first `common` units and these: steps back where it must, and adds what is new.
    fn go_to(&mut self, common: usize, new: Vec<usize>) {
        let before = self.path.len();
        let continues = !std::mem::take(&mut self.is_cut) && common == before;
        if continues && new.is_empty() {
            return;
        }
        self.cut_back(common);
        self.is_cut = false;
        self.spend(new.len());
        for unit in new {
            self.units.all[unit].place = Some(self.path.len());
            self.path.push(unit);
        }
        self.last_user_ms = self.units.last_user_ms(&self.path);
        let (mut keep, mut from) = if continues {
            (self.messages.len(), before)
        } else {
            // The last of them may be of units that are not there any more, too.
            let begun = self.messages.partition_point(|sent| sent.first < common);
            let keep = begun.saturating_sub(1);
            (
                keep,
                self.messages
                    .get(keep)
                    .map_or(0, |sent| sent.first.min(common)),
            )
        };
        if keep == 0 {
            from = 0;
        }
        let mut messages = self.messages_after(keep, from);
        while let Some(last) = keep.checked_sub(1).map(|last| &self.messages[last])
            && messages
                .first()
                .is_some_and(|first| first.is_user == last.is_user)
        {
            keep -= 1;
            let from = last.first;
            messages = self.messages_after(keep, from);
        }
        self.send(keep, messages);
    }

    /// The messages of the units from a place on, of which the first `keep` messages are.
    fn messages_after(&mut self, keep: usize, from: usize) -> Vec<Message> {
        let last = keep.checked_sub(1).map(|last| &self.messages[last]);
        let calling = last.filter(|last| !last.is_user);
        let calling = calling.map_or(&[][..], |last| &self.path[last.first..from]);
        let calls = self.units.calls(calling).collect();
        let messages = self.units.messages(&self.path, from, calls);
        self.spend(messages.iter().map(|message| message.json.len()).sum());
        messages
    }

    fn spend(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_sub(bytes as u64);
    }

    /// Bytes of the messages.
    fn bytes(&self) -> usize {
        self.messages.last().map_or(0, |sent| sent.bytes)
    }

    /// Puts messages behind the first `keep`, without saying again what is there already.
    fn send(&mut self, mut keep: usize, messages: Vec<Message>) {
        let mut messages = messages.into_iter().peekable();
        while let Some(sent) = self.messages.get(keep)
            && messages
                .next_if(|message| *message.json == *self.json(sent))
                .is_some()
        {
            keep += 1;
        }
        if keep < self.messages.len() {
            self.messages.truncate(keep);
            self.events.push(Event::Truncate(keep));
            self.begins |= keep == 0;
        }
        for message in messages {
            self.messages.push(Sent {
                event: self.events.len(),
                is_user: message.is_user,
                first: message.first,
                bytes: self.bytes() + message.json.len(),
            });
            self.events.push(Event::Message(message.json));
        }
    }

    fn json(&self, sent: &Sent) -> &str {
        match self.events.get(sent.event) {
            Some(Event::Message(json)) => json,
            _ => "",
        }
    }
}
