//! How the numbers of a frame are read: the same values, at another speed.

use super::{Closing, Shape, Words, milliseconds, unsigned};

/// A way to read numbers of the shapes that a frame is expected to have.
pub(in crate::venue::binance) trait Reading: Copy {
    /// Two decimals that follow one another again and again, and what is known of them beforehand.
    type Pairs<'s>: Copy;

    /// Pairs of these shapes. The first is expected to have as many digits before the point as the last one like it: prices
    /// have, quantities have not. `None` where nothing is expected.
    fn pairs<'s>(self, shapes: [&'s Shape; 2]) -> Option<Self::Pairs<'s>>;

    /// Reads the pair at `at` of `text` with `between` behind the first: their values, and where the second one ends. What
    /// closes it is for the caller to judge. `None` where anything is otherwise.
    fn next(
        self,
        pairs: &Self::Pairs<'_>,
        text: &(impl Words + ?Sized),
        at: usize,
        between: Closing,
    ) -> Option<([i64; 2], usize)>;

    /// Reads one pair, each number of it closed by its text: their values, and where the second closing ends.
    #[inline(always)]
    fn pair(
        self,
        text: &(impl Words + ?Sized),
        at: usize,
        shapes: [&Shape; 2],
        [between, closing]: [Closing; 2],
    ) -> Option<([i64; 2], usize)> {
        let (values, end) = self.next(&self.pairs(shapes)?, text, at, between)?;
        closing.starts(text.word(end)?).then_some((values, end + closing.length()))
    }

    /// Reads the decimals of two strings, from behind their opening quotes. `None` where one is not of its shape.
    fn apart(self, bytes: &[u8], places: [usize; 2], shapes: [&Shape; 2]) -> Option<[i64; 2]>;

    /// What [`unsigned`] reads.
    fn unsigned(self, bytes: &[u8], at: usize) -> Option<(u64, usize)>;

    /// The same; thirteen digits, as nearly all times have, are tried first: a length known beforehand keeps the processor
    /// from waiting for it.
    fn milliseconds(self, bytes: &[u8], at: usize) -> Option<(u64, usize)>;
}

/// Eight bytes at a time, on any processor.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue::binance) struct ByWords;

impl Reading for ByWords {
    type Pairs<'s> = [&'s Shape; 2];

    #[inline(always)]
    fn pairs(self, shapes: [&Shape; 2]) -> Option<[&Shape; 2]> {
        Some(shapes)
    }

    #[inline(always)]
    fn next(
        self,
        [first, second]: &[&Shape; 2],
        text: &(impl Words + ?Sized),
        at: usize,
        between: Closing,
    ) -> Option<([i64; 2], usize)> {
        let (one, end) = first.expected_again(text, at)?;
        if !between.starts(text.word(end)?) {
            return None;
        }
        let (two, end) = second.expected(text, end + between.length())?;
        Some(([one, two], end))
    }

    #[inline(always)]
    fn apart(self, bytes: &[u8], places: [usize; 2], shapes: [&Shape; 2]) -> Option<[i64; 2]> {
        let read = |which: usize| shapes[which].quoted(bytes, places[which]).map(|(value, _)| value);
        Some([read(0)?, read(1)?])
    }

    #[inline(always)]
    fn unsigned(self, bytes: &[u8], at: usize) -> Option<(u64, usize)> {
        unsigned(bytes, at)
    }

    #[inline(always)]
    fn milliseconds(self, bytes: &[u8], at: usize) -> Option<(u64, usize)> {
        milliseconds(bytes, at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Avx2, unsigned};
    use super::*;
    use crate::domain::decimal;
    use crate::domain::{DecimalError, Scale};
    use proptest::prelude::*;

    const CLOSINGS: [Closing; 2] = [Closing::new(b"\",\"B\":\""), Closing::new(b"\"]")];

    /// What `domain::decimal` says of both texts, and where they end.
    fn reference(text: [&str; 2], scales: [Scale; 2]) -> Result<([i64; 2], usize), DecimalError> {
        let value = |at: usize| decimal::parse(text[at].as_bytes(), scales[at]);
        Ok(([value(0)?, value(1)?], text[0].len() + text[1].len() + 9))
    }

    proptest! {
        #[test]
        fn pairs_are_exact_or_nothing(
            texts in prop::collection::vec(("[0-9]{1,8}(\\.[0-9]{0,5}0{0,5})?|[0-9.a\"]{0,12}", "[0-9]{1,8}(\\.[0-9]{1,5}0{0,5})?|[0-9.\"-]{0,12}"), 1..12),
            scales in (0_u8..=9, 0_u8..=9),
            behind in "[\\[\"0-9.,]{0,40}",
            closed: bool,
        ) {
            let scales = [scales.0, scales.1].map(|digits| Scale::new(digits).expect("a valid scale"));
            let [mut price, mut quantity] = scales.map(Shape::new);
            let mut read = 0;
            for (one, two) in &texts {
                let closing = if closed { "\"]" } else { "\"}" };
                let text = format!("{one}\",\"B\":\"{two}{closing}{behind}");
                price.learn(text.as_bytes(), 0);
                let by_words = ByWords.pair(text.as_bytes(), 0, [&price, &quantity], CLOSINGS);
                if let Some(avx2) = Avx2::detect() {
                    #[cfg(target_arch = "x86_64")]
                    prop_assert_eq!(avx2.pair(text.as_bytes(), 0, [&price, &quantity], CLOSINGS), by_words, "{}", text);
                    let _ = avx2;
                }
                if let Some(found) = by_words {
                    prop_assert!(closed || one.contains('"') || two.contains('"'), "{}", text);
                    if !one.contains('"') && !two.contains('"') {
                        prop_assert_eq!(Ok(found), reference([one, two], scales), "{}", text);
                    }
                    read += 1;
                }
                // What it learns is what comes next.
                let _ = price.read(text.as_bytes(), 0);
                let _ = quantity.read(format!("{two}\"").as_bytes(), 0);
            }
            prop_assert!(read <= texts.len());
        }

        #[test]
        fn integers_are_the_same(text in "0?[0-9]{0,21}|[0-9]{13}", behind in "[,}.e ]{0,20}") {
            let text = format!("{text}{behind}");
            let expected = unsigned(text.as_bytes(), 0);
            prop_assert_eq!(ByWords.milliseconds(text.as_bytes(), 0), expected);
            #[cfg(target_arch = "x86_64")]
            if let Some(avx2) = Avx2::detect() {
                prop_assert_eq!(avx2.unsigned(text.as_bytes(), 0), expected);
                prop_assert_eq!(avx2.milliseconds(text.as_bytes(), 0), expected);
            }
        }
    }
}
