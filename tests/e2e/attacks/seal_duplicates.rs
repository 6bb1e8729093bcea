//! A sealed value with a repeated member must never pass as genuine.
