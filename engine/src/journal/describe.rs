//! Records as people and programs read them: one line of text, or one JSON object.
//!
//! Both come from the same fields. Names and scales come from the rows of the instrument table seen so far, so a
//! description starts at the first record of an epoch. What cannot be read is shown as it is, never guessed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::counters::HaltState;
use crate::domain::{
    Decimal, InstrumentIndex, Liquidity, OrderId, OrderType, Price, Quantity, SelfTrade, Side, TimeInForce,
};
use crate::error::RejectCode;
use crate::journal::input::{InputRecord, Unsent};
use crate::journal::payload::{
    Decision, EpochStart, Halt, HaltScope, InstrumentFacts, InstrumentRow, NO_INSTRUMENT,
};
use crate::journal::record::{Record, RecordKind};
use crate::message::answer::AnswerKind;
use crate::message::report::{FEE_SCALE, FeeAsset};
use crate::message::{Answer, IntentKind, OrderState, Report, ReportKind};

/// The fields of one record, in the order they are shown.
type Fields = Vec<(&'static str, Value)>;

/// Describes the records of one journal, in order.
#[derive(Clone, Debug, Default)]
pub struct Describer {
    instruments: BTreeMap<InstrumentIndex, InstrumentFacts>,
}

/// The name of a code, or `?CODE` when it has none.
fn named<E: TryFrom<u8> + std::fmt::Display>(code: u8) -> Value {
    E::try_from(code).map_or_else(|_| format!("?{code}"), |value| value.to_string()).into()
}

/// The name of a code where 0 says that there is none.
fn named_or_none<E: TryFrom<u8> + std::fmt::Display>(code: u8) -> Value {
    if code == 0 { Value::Null } else { named::<E>(code) }
}

fn id(id: OrderId) -> Value {
    if id == OrderId::NONE { Value::Null } else { id.to_string().into() }
}

fn words(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::from)
}

impl Describer {
    /// Before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The record as one line: sequence, epoch, time, kind, then `key=value` of each field that has a value.
    #[must_use]
    pub fn line(&mut self, record: &Record) -> String {
        let kind = RecordKind::try_from(record.kind).map_or_else(|code| code.to_string(), |k| k.to_string());
        let mut line = format!("{} e{} {} {kind}", record.sequence, record.epoch, record.at.0);
        for (key, value) in self.fields(record) {
            match value {
                Value::Null => Ok(()),
                Value::String(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) => {
                    write!(line, " {key}={text}")
                }
                value => write!(line, " {key}={value}"),
            }
            .expect("a string takes any text");
        }
        line
    }

    /// The record as a JSON object: prices and quantities are decimal strings, times integer nanoseconds.
    #[must_use]
    pub fn json(&mut self, record: &Record) -> Value {
        let mut object = Map::new();
        object.insert("seq".into(), record.sequence.into());
        object.insert("epoch".into(), record.epoch.into());
        object.insert("at".into(), record.at.0.into());
        object.insert("elapsed".into(), record.elapsed.into());
        object.insert("record".into(), named::<RecordKind>(record.kind));
        object.extend(self.fields(record).into_iter().map(|(key, value)| (key.to_owned(), value)));
        Value::Object(object)
    }

    fn fields(&mut self, record: &Record) -> Fields {
        if let Some(start) = record.read::<EpochStart>() {
            self.instruments.clear();
            epoch(&start)
        } else if let Some(row) = record.read::<InstrumentRow>() {
            self.row(&row)
        } else if let Some(decision) = record.read::<Decision>() {
            self.decision(&decision)
        } else if let Some(report) = record.read::<Report>() {
            self.report(&report)
        } else if let Some(input) = record.read::<InputRecord>() {
            self.input(&input)
        } else if let Some(answer) = record.read::<Answer>() {
            self.answer(&answer)
        } else if let Some(unsent) = record.read::<Unsent>() {
            vec![("request", unsent.request.into())]
        } else if let Some(halt) = record.read::<Halt>() {
            self.halt(&halt)
        } else {
            let bytes = record.payload.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            vec![("version", record.version.into()), ("payload", bytes.into())]
        }
    }

    /// The symbol, or `#INDEX` without a row.
    fn symbol(&self, index: InstrumentIndex) -> Value {
        let facts = self.instruments.get(&index);
        facts.map_or_else(|| format!("#{index}"), |facts| facts.symbol.to_string()).into()
    }

    /// A decimal string; without a row, where the scale is not known, the bare integer.
    fn price(&self, index: InstrumentIndex, price: Price) -> Value {
        match self.instruments.get(&index) {
            Some(facts) => Decimal::new(price.0, facts.price_scale).to_string().into(),
            None => price.0.into(),
        }
    }

    /// As [`price`](Self::price).
    fn quantity(&self, index: InstrumentIndex, quantity: Quantity) -> Value {
        match self.instruments.get(&index) {
            Some(facts) => Decimal::new(quantity.0, facts.quantity_scale).to_string().into(),
            None => quantity.0.into(),
        }
    }

    fn row(&mut self, row: &InstrumentRow) -> Fields {
        let Some(facts) = row.facts() else {
            self.instruments.remove(&row.index);
            return vec![("index", row.index.into()), ("damaged", true.into())];
        };
        let index = facts.index;
        self.instruments.insert(index, facts.clone());
        vec![
            ("index", index.into()),
            ("symbol", facts.symbol.to_string().into()),
            ("market", facts.market.as_str().into()),
            ("kind", facts.kind.as_str().into()),
            ("price_scale", facts.price_scale.digits().into()),
            ("quantity_scale", facts.quantity_scale.digits().into()),
            ("multiplier", facts.multiplier.into()),
            ("tick", self.price(index, facts.tick)),
            ("lot", self.quantity(index, facts.lot)),
            ("tradable", facts.tradable.into()),
            ("cancel_replace", facts.cancel_replace.into()),
        ]
    }

    fn decision(&self, decision: &Decision) -> Fields {
        let intent = decision.intent();
        let trigger = match intent.trigger {
            Price::NONE => Value::Null,
            trigger => self.price(intent.instrument, trigger),
        };
        vec![
            ("code", named::<RejectCode>(decision.code())),
            ("repeats", if decision.repeats() == 0 { Value::Null } else { decision.repeats().into() }),
            ("id", id(intent.id)),
            ("kind", named::<IntentKind>(intent.kind)),
            ("target", id(intent.target)),
            ("symbol", self.symbol(intent.instrument)),
            ("side", named_or_none::<Side>(intent.side)),
            ("type", named_or_none::<OrderType>(intent.order_type)),
            ("time_in_force", named_or_none::<TimeInForce>(intent.time_in_force)),
            ("quantity", self.quantity(intent.instrument, intent.quantity)),
            ("price", self.price(intent.instrument, intent.price)),
            ("trigger", trigger),
            ("self_trade", named_or_none::<SelfTrade>(intent.self_trade)),
            ("decided", intent.decided.0.into()),
            ("valid_until", intent.valid_until.0.into()),
        ]
    }

    fn report(&self, report: &Report) -> Fields {
        let index = report.instrument;
        let mut fields = vec![
            ("kind", named::<ReportKind>(report.kind)),
            ("state", named::<OrderState>(report.state)),
            ("id", id(report.id)),
            ("venue_order_id", report.venue_order_id.into()),
            ("symbol", self.symbol(index)),
            ("side", named_or_none::<Side>(report.side)),
            ("quantity", self.quantity(index, report.quantity)),
            ("price", self.price(index, report.price)),
            ("cumulative", self.quantity(index, report.cumulative)),
            ("leaves", self.quantity(index, report.leaves)),
            ("learned", report.at.0.into()),
        ];
        if report.kind == ReportKind::Fill.code() {
            let fee = Decimal { value: report.fee.into(), scale: FEE_SCALE };
            fields.extend([
                ("trade_id", report.trade_id.into()),
                ("liquidity", named::<Liquidity>(report.detail & 0x0f)),
                ("fee", fee.to_string().into()),
                ("fee_asset", named::<FeeAsset>(report.detail >> 4)),
            ]);
        } else {
            fields.push(("code", named::<RejectCode>(report.detail)));
        }
        fields
    }

    fn input(&self, input: &InputRecord) -> Fields {
        let books = input.books_read().iter().map(
            |read| serde_json::json!({ "symbol": self.symbol(read.instrument), "version": read.version }),
        );
        vec![
            ("agent", input.agent.into()),
            ("cycle", input.cycle.into()),
            ("part", input.part.into()),
            ("taken", input.taken.to_vec().into()),
            ("books", books.collect::<Vec<_>>().into()),
        ]
    }

    fn answer(&self, answer: &Answer) -> Fields {
        let index = answer.instrument;
        let mut fields = vec![
            ("kind", named::<AnswerKind>(answer.kind)),
            ("state", named_or_none::<OrderState>(answer.state)),
            ("id", id(answer.id)),
            ("venue_order_id", answer.venue_order_id.into()),
            ("symbol", self.symbol(index)),
            ("side", named_or_none::<Side>(answer.side)),
            ("quantity", self.quantity(index, answer.quantity)),
            ("price", self.price(index, answer.price)),
            ("cumulative", self.quantity(index, answer.cumulative)),
            ("received", answer.received.0.into()),
        ];
        match AnswerKind::try_from(answer.kind) {
            Ok(AnswerKind::Trade) => {
                let fee = Decimal { value: answer.fee.into(), scale: FEE_SCALE };
                fields.extend([
                    ("trade_id", answer.trade_id.into()),
                    ("liquidity", named::<Liquidity>(answer.liquidity)),
                    ("fee", fee.to_string().into()),
                    ("fee_asset", named::<FeeAsset>(answer.fee_asset)),
                ]);
            }
            Ok(AnswerKind::Throttled | AnswerKind::Banned) => fields.push(("until", answer.fee.into())),
            _ if answer.venue_code != 0 => fields.push(("code", answer.venue_code.into())),
            _ => {}
        }
        fields
    }

    fn halt(&self, halt: &Halt) -> Fields {
        let symbol =
            if halt.instrument == NO_INSTRUMENT { Value::Null } else { self.symbol(halt.instrument) };
        let is_of_source = halt.scope == HaltScope::Source.code();
        let source = if is_of_source { halt.source.0.into() } else { Value::Null };
        vec![
            ("scope", named::<HaltScope>(halt.scope)),
            ("state", named::<HaltState>(halt.state)),
            ("symbol", symbol),
            ("source", source),
            ("cause", named_or_none::<RejectCode>(halt.cause)),
            ("reason", words(halt.reason())),
        ]
    }
}

fn epoch(start: &EpochStart) -> Fields {
    vec![
        ("name", words(start.name())),
        ("previous", start.previous.into()),
        ("instruments", start.instruments.into()),
        ("wall", start.wall.0.into()),
        ("build", format!("{:016x}", start.build).into()),
        ("config", format!("{:016x}", start.config).into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Nanos, SourceId};
    use crate::journal::fixture::{instrument, record};
    use crate::journal::record::Payload;
    use crate::message::Intent;

    fn put<P: Payload>(payload: &P) -> Record {
        Record::new(7, 2, Nanos(1_000), 5, payload)
    }

    fn fill() -> Report {
        Report {
            id: OrderId { epoch: 2, source: SourceId(1), source_epoch: 1, sequence: 255 },
            price: Price(6_183_763),
            quantity: Quantity(50_000),
            cumulative: Quantity(50_000),
            fee: -1_500_000,
            trade_id: 9,
            kind: ReportKind::Fill.code(),
            state: OrderState::Filled.code(),
            side: Side::Buy.code(),
            detail: Liquidity::Maker.code() | FeeAsset::Quote.code() << 4,
            at: Nanos(999),
            ..Report::default()
        }
    }

    #[test]
    fn names_and_scales_come_from_the_table() {
        let mut describer = Describer::new();
        let raw = describer.json(&put(&fill()));
        assert_eq!((&raw["symbol"], &raw["price"]), (&"#0".into(), &6_183_763.into()));
        let row = InstrumentRow::new(0, &instrument("BTCUSDT"));
        assert!(describer.line(&put(&row)).contains("symbol=BTCUSDT market=spot"));
        assert_eq!(
            describer.line(&put(&fill())),
            "7 e2 1000 REPORT kind=FILL state=FILLED id=t-2-1-1-ff venue_order_id=0 symbol=BTCUSDT side=BUY \
             quantity=0.5 price=61837.63 cumulative=0.5 leaves=0 learned=999 trade_id=9 liquidity=MAKER \
             fee=-0.015 fee_asset=quote"
        );
        let start = EpochStart::new("route", 1, 1, Nanos(0), 0, 0);
        assert_eq!(describer.json(&put(&start))["name"], "route");
        assert_eq!(describer.json(&put(&fill()))["symbol"], "#0", "a new epoch has a new table");
    }

    #[test]
    fn json_and_line_hold_a_decision() {
        let mut describer = Describer::new();
        let intent = Intent { kind: IntentKind::Cancel.code(), target: fill().id, ..Intent::default() };
        let decision = put(&Decision::new(intent, RejectCode::UnknownOrder, 12));
        let json = describer.json(&decision);
        assert_eq!((&json["record"], &json["code"]), (&"DECISION".into(), &"UNKNOWN_ORDER".into()));
        assert_eq!(
            (&json["target"], &json["repeats"], &json["seq"]),
            (&"t-2-1-1-ff".into(), &12.into(), &7.into())
        );
        assert!(json["side"].is_null());
        assert!(!describer.line(&decision).contains("side"));
    }

    #[test]
    fn what_a_venue_said_and_what_did_not_leave_are_told() {
        let mut describer = Describer::new();
        let row = InstrumentRow::new(0, &instrument("BTCUSDT"));
        assert!(describer.line(&put(&row)).contains("BTCUSDT"));
        let trade = Answer {
            kind: AnswerKind::Trade.code(),
            id: fill().id,
            price: Price(6_183_763),
            quantity: Quantity(50_000),
            trade_id: 9,
            fee: 1_500_000,
            fee_asset: FeeAsset::Quote.code(),
            liquidity: Liquidity::Maker.code(),
            ..Answer::default()
        };
        let line = describer.line(&put(&trade));
        assert!(line.contains("ANSWER kind=trade id=t-2-1-1-ff"), "{line}");
        assert!(line.contains("price=61837.63") && line.contains("fee=0.015 fee_asset=quote"), "{line}");
        let banned = Answer { kind: AnswerKind::Banned.code(), fee: 77, ..Answer::default() };
        assert_eq!(describer.json(&put(&banned))["until"], 77);
        assert!(describer.line(&put(&Unsent::new(12))).ends_with("UNSENT request=12"));
    }

    #[test]
    fn what_cannot_be_read_is_shown_as_it_is() {
        let mut describer = Describer::new();
        let unknown = Record { kind: 200, ..record(1, 1) };
        assert_eq!(describer.json(&unknown)["record"], "?200");
        assert!(describer.line(&unknown).contains("payload=00"));
        let odd = Report { kind: 99, state: 0, ..Report::default() };
        let line = describer.line(&put(&odd));
        assert!(line.contains("kind=?99 state=?0"), "{line}");
    }

    #[test]
    fn words_with_spaces_are_quoted_in_lines() {
        let mut describer = Describer::new();
        let mut input = InputRecord::new(2, 30);
        assert!(input.took(0, 4) && input.read_book(5, 77));
        let line = describer.line(&put(&input));
        assert!(line.ends_with("taken=[4,0,0,0,0,0] books=[{\"symbol\":\"#5\",\"version\":77}]"), "{line}");
        let halt = Halt::source(SourceId(4), HaltState::Halted, RejectCode::RejectStorm, "fat \"finger\"\n");
        let line = describer.line(&put(&halt));
        let expected =
            "HALT scope=SOURCE state=HALTED source=4 cause=REJECT_STORM reason=\"fat \\\"finger\\\"\\n\"";
        assert!(line.ends_with(expected), "{line}");
    }
}
