//! A checked message and the way to its keys.

use bytes::Bytes;

use crate::decode::{KeyTable, Undecodable};
use crate::hash_key;
use crate::message::{Field, Fields, RawRecord};

/// The largest message that Java could hold, and with it every valid one; offsets into it fit in 32 bits.
const BODY_BYTES_MAX: usize = 0x7fff_ffff;

/// A message in which every record is well formed and every key that a record names exists and is valid.
///
/// Of each table slot only the offset of its length prefix is kept: 10 MiB can hold five million slots.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) body: Bytes,
    pub(crate) partition_keys: Box<[u32]>,
    pub(crate) explicit_hash_keys: Box<[u32]>,
    pub(crate) count: usize,
}

impl Layout {
    /// Checks the form of the whole message first, then what its records refer to: tables may follow the records.
    pub(crate) fn read(body: Bytes) -> Result<Self, Undecodable> {
        if body.len() > BODY_BYTES_MAX {
            return Err(Undecodable::Protobuf);
        }
        let mut partition_keys = Vec::new();
        let mut explicit_hash_keys = Vec::new();
        let mut hash_key_is_valid = Vec::new();
        let mut count = 0;
        let mut fields = Fields::resume(&body, 0);
        while let Some(field) = fields.next_field()? {
            match field {
                Field::PartitionKey(key) => partition_keys.push(offset(key.prefix)?),
                Field::ExplicitHashKey(key) => {
                    explicit_hash_keys.push(offset(key.prefix)?);
                    // Once a slot, not once a record: a long key that many records name must not cost quadratic time.
                    hash_key_is_valid.push(body.get(key.content).and_then(hash_key::parse).is_some());
                }
                Field::Record(record) => {
                    RawRecord::read(&body, record.content)?;
                    count += 1;
                }
            }
        }
        check_references(&body, partition_keys.len(), &hash_key_is_valid)?;
        let partition_keys = partition_keys.into_boxed_slice();
        let explicit_hash_keys = explicit_hash_keys.into_boxed_slice();
        Ok(Self { body, partition_keys, explicit_hash_keys, count })
    }
}

fn check_references(body: &[u8], partition_keys: usize, hash_key_is_valid: &[bool]) -> Result<(), Undecodable> {
    let mut fields = Fields::resume(body, 0);
    let mut sub_sequence_number = 0;
    while let Some(content) = fields.next_record()? {
        let record = RawRecord::read(body, content)?;
        let outside =
            |table, index, entries: usize| Undecodable::KeyIndex { table, sub_sequence_number, index, entries: entries as u64 };
        let index = record.partition_key_index;
        if index >= partition_keys as u64 {
            return Err(outside(KeyTable::PartitionKey, index, partition_keys));
        }
        if let Some(index) = record.explicit_hash_key_index {
            match usize::try_from(index).ok().and_then(|slot| hash_key_is_valid.get(slot)) {
                Some(true) => {}
                Some(false) => return Err(Undecodable::HashKey { sub_sequence_number, index }),
                None => return Err(outside(KeyTable::ExplicitHashKey, index, hash_key_is_valid.len())),
            }
        }
        sub_sequence_number += 1;
    }
    Ok(())
}

/// Cannot fail below [`BODY_BYTES_MAX`].
fn offset(position: usize) -> Result<u32, Undecodable> {
    u32::try_from(position).map_err(|_| Undecodable::Protobuf)
}
