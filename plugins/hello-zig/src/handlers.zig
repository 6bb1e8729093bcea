//! What it reads of a callback, and what it answers.

const std = @import("std");
const Allocator = std.mem.Allocator;
const Writer = std.Io.Writer;

/// What this plugin reads of a callback as the platform sends it; add the fields that you need.
pub const Callback = struct {
    header: struct { event_type: []const u8 } = .{ .event_type = "" },
    event: struct {
        operator: struct { open_id: []const u8 } = .{ .open_id = "" },
        action: struct { tag: []const u8 = "", form_value: std.json.Value = .null } = .{},
        context: struct { url: []const u8 = "" } = .{},
    } = .{},
};

/// Writes the reply's JSON, as the platform's documentation prints replies.
pub fn answer(arena: Allocator, callback: Callback, out: *Writer) !void {
    const event = callback.event;
    if (std.mem.eql(u8, callback.header.event_type, "card.action.trigger")) {
        std.debug.print("{s} touched\n", .{event.action.tag});
        return onClick(arena, event.operator.open_id, event.action.form_value, out);
    }
    if (std.mem.eql(u8, callback.header.event_type, "url.preview.get")) {
        const shown = try utf8(arena, try title(arena, event.context.url));
        const reply = .{ .@"inline" = .{ .title = shown } };
        return std.json.Stringify.value(reply, .{}, out);
    }
    return error.NothingHereAnswersThat;
}

/// Text from anywhere for a reply. What is not UTF-8, half a character for example, becomes U+FFFD; `Stringify` would write such a
/// text as an array of numbers.
fn utf8(arena: Allocator, text: []const u8) ![]const u8 {
    return std.fmt.allocPrint(arena, "{f}", .{std.unicode.fmtUtf8(text)});
}

const Markdown = struct { tag: []const u8 = "markdown", content: []const u8 };

/// Says hello to whoever touched a button; a form is shown as it was filled in.
fn onClick(arena: Allocator, who: []const u8, form: std.json.Value, out: *Writer) !void {
    var elements: std.ArrayList(Markdown) = .empty;
    const touched = try std.fmt.allocPrint(arena, "Touched by <at id={s}></at>", .{who});
    try elements.append(arena, .{ .content = touched });
    if (form == .object) {
        var fields = form.object.iterator();
        while (fields.next()) |field| {
            const name = field.key_ptr.*;
            const line = switch (field.value_ptr.*) {
                .string => |text| try std.fmt.allocPrint(arena, "**{s}**: {s}", .{ name, text }),
                else => |value| try std.fmt.allocPrint(arena, "**{s}**: {f}", .{ name, std.json.fmt(value, .{}) }),
            };
            try elements.append(arena, .{ .content = try utf8(arena, line) });
        }
    }
    const hello = "Hello from Zig";
    const header = .{ .title = .{ .tag = "plain_text", .content = "Hello" }, .template = "green" };
    const card = .{ .schema = "2.0", .header = header, .body = .{ .elements = elements.items } };
    const i18n = .{ .en_us = hello, .zh_cn = "来自 Zig 的问候" };
    const reply = .{
        .toast = .{ .type = "success", .content = hello, .i18n = i18n },
        .card = .{ .type = "raw", .data = card },
    };
    return std.json.Stringify.value(reply, .{}, out);
}

/// A link as its host and its path.
fn title(arena: Allocator, link: []const u8) ![]const u8 {
    const scheme, const rest = std.mem.cutScalar(u8, link, ':') orelse return link;
    if (scheme.len == 0 or !std.mem.startsWith(u8, rest, "//")) return link;
    const place = rest[2 .. std.mem.findAnyPos(u8, rest, 2, "?#") orelse rest.len];
    const slash = std.mem.findScalar(u8, place, '/') orelse place.len;
    const path = if (slash == place.len) "/" else place[slash..];
    return std.fmt.allocPrint(arena, "{s} · {s}", .{ place[0..slash], path });
}

fn expectReply(callback: Callback, parts: []const []const u8) !void {
    var arena: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena.deinit();
    var out: Writer.Allocating = .init(arena.allocator());
    try answer(arena.allocator(), callback, &out.writer);
    for (parts) |part| try std.testing.expect(std.mem.find(u8, out.written(), part) != null);
}

test "a click is answered with a card that names who clicked" {
    const click: Callback = .{
        .header = .{ .event_type = "card.action.trigger" },
        .event = .{ .operator = .{ .open_id = "ou_1" } },
    };
    try expectReply(click, &.{ "Hello from Zig", "<at id=ou_1></at>" });
}

test "a link is shown as its host and its path" {
    for ([_][2][]const u8{
        .{ "https://a.example/b/c?d=e", "a.example · /b/c" },
        .{ "https://a.example", "a.example · /" },
        .{ "not a link", "not a link" },
    }) |case| {
        const link: Callback = .{
            .header = .{ .event_type = "url.preview.get" },
            .event = .{ .context = .{ .url = case[0] } },
        };
        try expectReply(link, &.{case[1]});
    }
}

test "half a character is shown as such" {
    var arena: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena.deinit();
    try std.testing.expectEqualStrings("cut \u{fffd}", try utf8(arena.allocator(), "cut 😀"[0..5]));
}

test "an unknown callback is a failure" {
    try std.testing.expectError(error.NothingHereAnswersThat, expectReply(.{}, &.{}));
}
