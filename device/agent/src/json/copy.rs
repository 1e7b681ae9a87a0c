//! The little of JSON merging a device needs: shadows are patched, never replaced.

use super::{Json, Out, Text};

impl Json<'_> {
    /// Writes the value without white space and without members that are `null`, but within arrays.
    pub(crate) fn write(self, out: &mut Out<'_>) {
        self.write_in(false, out);
    }

    fn write_in(self, is_in_array: bool, out: &mut Out<'_>) {
        let is_object = self.is_object();
        if !is_object && self.first() != b'[' {
            return out(self.0);
        }
        let mut object = Open::new(if is_object { "{" } else { "[" }, out);
        let is_in_array = is_in_array || !is_object;
        for (name, value) in self.parts().filter(|(_, value)| is_in_array || !value.is_null()) {
            let out = if is_object { object.member(name) } else { object.item() };
            value.write_in(is_in_array, out);
        }
        object.end(if is_object { "}" } else { "]" });
    }
}

/// Writes what `target` is once `patch` is merged into it as the shadow service does: `null`
/// removes, objects recurse. Both are objects.
pub(crate) fn merge(target: Json<'_>, patch: Json<'_>, out: &mut Out<'_>) {
    let mut object = Open::new("{", out);
    for (name, old) in target.members() {
        match patch.same_member(name) {
            None => old.write(object.member(name)),
            Some(new) if new.is_null() => {}
            Some(new) if new.is_object() && old.is_object() => merge(old, new, object.member(name)),
            Some(new) => new.write(object.member(name)),
        }
    }
    for (name, new) in patch.members() {
        if !new.is_null() && target.same_member(name).is_none() {
            new.write(object.member(name));
        }
    }
    object.end("}");
}

/// Writes the patch that turns `known` into `truth`, which says something else. A member of
/// `known` that `truth` lacks is removed.
pub(crate) fn difference(known: Option<Json<'_>>, truth: Json<'_>, out: &mut Out<'_>) {
    let Some(known) = known.filter(|known| known.is_object() && truth.is_object()) else {
        return truth.write(out);
    };
    let mut object = Open::new("{", out);
    for (name, value) in truth.members().filter(|(_, value)| !value.is_null()) {
        let known = known.same_member(name);
        if !known.is_some_and(|known| known.same(value)) {
            difference(known, value, object.member(name));
        }
    }
    for (name, _) in known.members() {
        if truth.same_member(name).is_none_or(Json::is_null) {
            object.member(name)("null");
        }
    }
    object.end("}");
}

/// An object or array that is being written.
struct Open<'a, 'o> {
    out: &'a mut Out<'o>,
    is_empty: bool,
}

impl<'a, 'o> Open<'a, 'o> {
    fn new(start: &str, out: &'a mut Out<'o>) -> Open<'a, 'o> {
        out(start);
        Open { out, is_empty: true }
    }

    fn item(&mut self) -> &mut Out<'o> {
        if !core::mem::take(&mut self.is_empty) {
            (self.out)(",");
        }
        self.out
    }

    fn member(&mut self, name: Text<'_>) -> &mut Out<'o> {
        self.item();
        (self.out)("\"");
        (self.out)(name.raw());
        (self.out)("\":");
        self.out
    }

    fn end(self, end: &str) {
        (self.out)(end);
    }
}
