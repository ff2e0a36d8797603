//! What is stored, or sent between versions, as literal text: a later version must read what an earlier one wrote.
