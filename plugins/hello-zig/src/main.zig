//! A command that answers callbacks: the callback's JSON comes on standard input, the reply's JSON goes to standard output,
//! and what is written to standard error is in the host's log.

const std = @import("std");
const handlers = @import("handlers.zig");

pub fn main(init: std.process.Init) !void {
    const arena = init.arena.allocator();
    var input_buffer: [4096]u8 = undefined;
    var input = std.Io.File.stdin().readerStreaming(init.io, &input_buffer);
    const text = try input.interface.allocRemaining(arena, .unlimited);
    const options: std.json.ParseOptions = .{ .ignore_unknown_fields = true };
    const callback = try std.json.parseFromSliceLeaky(handlers.Callback, arena, text, options);

    var output_buffer: [4096]u8 = undefined;
    var output = std.Io.File.stdout().writerStreaming(init.io, &output_buffer);
    try handlers.answer(arena, callback, &output.interface);
    try output.interface.flush();
}
