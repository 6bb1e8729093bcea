//! Does what the button's name says: one cell of the conformance table each. A command: the callback's JSON comes on
//! standard input, the reply's goes to standard output, and what is written to standard error is the log.

const std = @import("std");
const Allocator = std.mem.Allocator;
const Value = std.json.Value;

/// The fields of a callback that the buttons look at; an old card has no envelope.
const Callback = struct {
    header: struct { event_type: []const u8 = "", create_time: []const u8 = "" } = .{},
    event: Value = .null,
    open_id: []const u8 = "",
};

const Event = struct {
    action: struct { name: []const u8 = "", value: Value = .null, form_value: Value = .null } = .{},
    context: struct { url: []const u8 = "" } = .{},
};

const Button = enum {
    toast,
    @"raw card",
    @"template card",
    @"form values",
    text,
    integers,
    @"1 MB payload",
    failure,
    trap,
    crash,
    @"half an emoji",
    random,
    print,
    @"time zone",
    @"endless loop",
    @"oversized allocation",
    logging,
    settings,
    @"remaining time",
};

/// What a plugin needs to read, to think and to answer.
const Plugin = struct {
    arena: Allocator,
    io: std.Io,
    environment: *std.process.Environ.Map,
    out: *std.Io.Writer,

    fn answer(plugin: Plugin, callback: Callback) !void {
        const kind = callback.header.event_type;
        if (kind.len == 0) return plugin.says("success", callback.open_id);
        if (std.mem.eql(u8, kind, "card.action.trigger")) {
            return plugin.click(callback, try plugin.read(Event, callback.event));
        }
        if (std.mem.eql(u8, kind, "url.preview.get")) {
            const event = try plugin.read(Event, callback.event);
            return plugin.replies(.{ .@"inline" = .{ .title = event.context.url, .i18n_title = .{ .zh_cn = "链接" } } });
        }
        std.debug.print("{f}\n", .{std.json.fmt(callback.event, .{})});
    }

    fn click(plugin: Plugin, callback: Callback, event: Event) !void {
        const button = std.meta.stringToEnum(Button, event.action.name) orelse @panic("no such button");
        switch (button) {
            .toast => {
                const i18n = .{ .zh_cn = "提示", .ja_jp = "トースト" };
                try plugin.replies(.{ .toast = .{ .type = "warning", .content = "toast", .i18n = i18n } });
            },
            .@"raw card" => {
                const elements = .{.{ .tag = "markdown", .content = "raw card" }};
                const card = .{ .schema = "2.0", .body = .{ .elements = elements } };
                try plugin.replies(.{ .card = .{ .type = "raw", .data = card } });
            },
            .@"template card" => {
                const card = .{
                    .template_id = "AAqconformance",
                    .template_version_name = "1.0.0",
                    .template_variable = .{ .who = "Ann" },
                };
                try plugin.replies(.{ .card = .{ .type = "template", .data = card } });
            },
            .@"form values" => try plugin.info("{f}", .{std.json.fmt(event.action.form_value, .{})}),
            .text => {
                const said = try plugin.text(event);
                try plugin.replies(.{ .toast = .{ .type = "info", .content = said, .i18n = .{ .zh_cn = said } } });
            },
            .integers => {
                const micros = try std.fmt.parseInt(u64, callback.header.create_time, 10);
                try plugin.info("{d}", .{micros / 1000});
            },
            .@"1 MB payload" => {
                const length = try std.unicode.utf8CountCodepoints(try plugin.text(event));
                try plugin.info("{d}", .{length});
            },
            .failure => try plugin.says("error", "failure"),
            .trap => @panic("trap"),
            .crash => @panic("the reason of a crash"),
            .@"half an emoji" => try plugin.says("info", try plugin.utf8("cut 😀"[0..5])),
            .random => {
                var number: [8]u8 = undefined;
                plugin.io.random(&number);
                try plugin.info("{d}", .{std.mem.readInt(u64, &number, .little)});
            },
            .print => {
                std.debug.print("printed 日志\n", .{});
                try plugin.says("info", "printed");
            },
            .@"time zone" => try plugin.says("info", "none"),
            .@"endless loop" => spin(),
            .@"oversized allocation" => {
                const large = try std.heap.page_allocator.alloc(u8, 512 << 20);
                try plugin.info("{d}", .{large.len});
            },
            .logging => {
                std.debug.print("logged 日志\n", .{});
                try plugin.says("info", "logged");
            },
            .settings => try plugin.says("info", plugin.environment.get("greeting") orelse ""),
            .@"remaining time" => {
                try plugin.says("info", plugin.environment.get("AVIARY_REMAINING_MS") orelse "");
            },
        }
    }

    fn read(plugin: Plugin, comptime T: type, value: Value) !T {
        return std.json.parseFromValueLeaky(T, plugin.arena, value, .{ .ignore_unknown_fields = true });
    }

    fn text(plugin: Plugin, event: Event) ![]const u8 {
        return (try plugin.read(struct { text: []const u8 }, event.action.value)).text;
    }

    /// As in the template.
    fn utf8(plugin: Plugin, text_to_show: []const u8) ![]const u8 {
        return std.fmt.allocPrint(plugin.arena, "{f}", .{std.unicode.fmtUtf8(text_to_show)});
    }

    fn info(plugin: Plugin, comptime format: []const u8, values: anytype) !void {
        try plugin.says("info", try std.fmt.allocPrint(plugin.arena, format, values));
    }

    fn says(plugin: Plugin, kind: []const u8, content: []const u8) !void {
        try plugin.replies(.{ .toast = .{ .type = kind, .content = content } });
    }

    fn replies(plugin: Plugin, reply: anytype) !void {
        try std.json.Stringify.value(reply, .{}, plugin.out);
    }
};

var busy: u64 = 1;

/// With so much to do in each turn that its fuel is gone before its time is.
fn spin() noreturn {
    const seen: *volatile u64 = &busy;
    while (true) {
        var x = seen.*;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        seen.* = x;
    }
}

pub fn main(init: std.process.Init) !void {
    const arena = init.arena.allocator();
    var input_buffer: [4096]u8 = undefined;
    var input = std.Io.File.stdin().readerStreaming(init.io, &input_buffer);
    const text = try input.interface.allocRemaining(arena, .unlimited);
    const options: std.json.ParseOptions = .{ .ignore_unknown_fields = true };
    const callback = try std.json.parseFromSliceLeaky(Callback, arena, text, options);

    var output_buffer: [4096]u8 = undefined;
    var output = std.Io.File.stdout().writerStreaming(init.io, &output_buffer);
    const plugin: Plugin = .{ .arena = arena, .io = init.io, .environment = init.environ_map, .out = &output.interface };
    try plugin.answer(callback);
    try output.interface.flush();
}
