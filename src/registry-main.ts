#!/usr/bin/env node
// `registry serve` and `registry garbage-collect`, as scripts and units for Distribution have them.
const [first = ""] = process.argv.slice(2);
if (!["-v", "--version"].includes(first)) process.argv.splice(2, 0, "registry");
await import("./main.ts");

export {};
