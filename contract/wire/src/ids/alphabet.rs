/// Which texts are names of one kind: ASCII letters, digits and a few others.
#[derive(Clone, Copy, Debug)]
pub struct Alphabet {
    /// The longest name, in characters; the shortest has one.
    pub max: usize,
    /// Whether `A` to `Z` are letters of it.
    pub upper: bool,
    /// What it has beside letters and digits; ASCII.
    pub others: &'static str,
    /// What stands first.
    pub first: First,
}

/// What a name begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// Whatever its alphabet has.
    Any,
    /// A letter or a digit.
    LetterOrDigit,
    /// A letter.
    Letter,
}

impl Alphabet {
    /// Whether `text` is a name of this kind.
    #[inline(never)] // A chip has room for it once.
    pub fn allows(&self, text: &[u8]) -> bool {
        let allows = |(index, &byte): (usize, &u8)| match byte {
            b'a'..=b'z' => true,
            b'A'..=b'Z' => self.upper,
            b'0'..=b'9' => index > 0 || self.first != First::Letter,
            _ => {
                (index > 0 || self.first == First::Any)
                    && self.others.bytes().any(|other| other == byte)
            }
        };
        (1..=self.max).contains(&text.len()) && text.iter().enumerate().all(allows)
    }
}
