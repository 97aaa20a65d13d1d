//! CBOR.
//!
//! Written as JSON while it is read: a tree of the values would take hundreds of times the payload's memory.

use crate::bytes::Bytes;
use crate::text::Text;
use crate::{too_deep, DEPTH};

/// The byte that ends a string, an array or a map without a length.
const BREAK: u8 = 0xff;

pub fn decode(payload: &[u8]) -> Result<String, String> {
    let mut cbor = Cbor { left: Bytes(payload), json: Text::of(payload) };
    cbor.value(DEPTH).and_then(|()| cbor.left.end()).map_err(|e| format!("not CBOR: {e}"))?;
    cbor.json.into_string()
}

struct Cbor<'a> {
    left: Bytes<'a>,
    json: Text,
}

impl<'a> Cbor<'a> {
    fn value(&mut self, depth: usize) -> Result<(), String> {
        let deeper = depth.checked_sub(1).ok_or_else(too_deep)?;
        let head = self.left.byte()?;
        match head >> 5 {
            0 => {
                let number = self.argument(head)?;
                self.json.display(number)
            }
            1 => {
                let number = self.argument(head)?;
                self.json.integer(-1 - i128::from(number))
            }
            2 => {
                let bytes = self.string(head)?;
                self.json.base64(&bytes)
            }
            3 => {
                let bytes = self.string(head)?;
                self.json.string(std::str::from_utf8(&bytes).map_err(|_| "a text is not UTF-8")?)
            }
            4 => self.items(head, "[", "]", &mut |cbor| cbor.value(deeper)),
            5 => self.items(head, "{", "}", &mut |cbor| {
                let key = cbor.json.begin();
                cbor.value(deeper)?;
                cbor.json.end_key(key)?;
                cbor.value(deeper)
            }),
            6 => match self.argument(head)? {
                tag @ (2 | 3) => self.bignum(tag == 3, deeper),
                // What another tag says of a value is left out.
                _ => self.value(deeper),
            },
            _ => self.simple(head),
        }
    }

    /// The number that follows the first byte of a value, or is in it.
    fn argument(&mut self, head: u8) -> Result<u64, String> {
        match head & 0x1f {
            number @ 0..=23 => Ok(number.into()),
            len @ 24..=27 => self.left.number(1 << (len - 24)),
            _ => Err(format!("the byte {head:02x} has no meaning here")),
        }
    }

    /// The bytes of a string, which may come in pieces.
    fn string(&mut self, head: u8) -> Result<Vec<u8>, String> {
        if head & 0x1f != 0x1f {
            return Ok(self.piece(head)?.to_vec());
        }
        let mut all = vec![];
        loop {
            match self.left.byte()? {
                BREAK => return Ok(all),
                piece if piece >> 5 == head >> 5 => all.extend_from_slice(self.piece(piece)?),
                _ => return Err("a piece of a string is none".to_owned()),
            }
        }
    }

    fn piece(&mut self, head: u8) -> Result<&'a [u8], String> {
        let len = self.argument(head)?;
        self.left.take(usize::try_from(len).map_err(|e| e.to_string())?)
    }

    fn items(
        &mut self,
        head: u8,
        open: &str,
        close: &str,
        item: &mut dyn FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut left = match head & 0x1f {
            0x1f => None,
            _ => Some(self.argument(head)?),
        };
        self.json.push(open)?;
        let mut before = "";
        loop {
            match &mut left {
                Some(0) => break,
                Some(left) => *left -= 1,
                None if self.left.0.first() == Some(&BREAK) => {
                    self.left.byte()?;
                    break;
                }
                None => (),
            }
            self.json.push(before)?;
            item(self)?;
            before = ",";
        }
        self.json.push(close)
    }

    /// An integer as the bytes of its size: a text where no 64 bits hold it, and the bytes where no 128 do.
    fn bignum(&mut self, is_negative: bool, deeper: usize) -> Result<(), String> {
        match self.left.0.first().map(|head| head >> 5) {
            Some(2) => (),
            _ => return self.value(deeper),
        }
        let head = self.left.byte()?;
        let bytes = self.string(head)?;
        let digits = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        let number = digits.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        match i128::try_from(number) {
            Ok(number) if digits.len() <= 16 => self.json.integer(if is_negative { -1 - number } else { number }),
            _ => self.json.base64(&bytes),
        }
    }

    fn simple(&mut self, head: u8) -> Result<(), String> {
        match head & 0x1f {
            20 => self.json.push("false"),
            21 => self.json.push("true"),
            25 => self.json.float(half(u16::from_be_bytes(self.left.array()?))),
            26 => self.json.float(f32::from_be_bytes(self.left.array()?).into()),
            27 => self.json.float(f64::from_be_bytes(self.left.array()?)),
            // null and undefined
            22 | 23 => self.json.push("null"),
            _ => Err(format!("the byte {head:02x} begins no value")),
        }
    }
}

/// A floating-point number of 16 bits (RFC 8949, appendix D).
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 0 {
        size
    } else {
        -size
    }
}
