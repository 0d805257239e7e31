import type { TestCase, TestModule } from "vitest/node";
import { leftOutMark } from "./component.ts";

/** Ends the run by naming what was left out, and with one line that counts. */
export default class ClosingReporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const passed = tests.filter((test) => test.result().state === "passed").length;
    const skipped = tests.filter((test) => test.result().state === "skipped");
    const broken = modules.flatMap((module) => module.errors()).length + errors.length;
    const failed = tests.length - passed - skipped.length + broken;
    for (const test of skipped) process.stdout.write(`  ${lineFor(test)}\n`);
    process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped.length} skipped\n`);
  }
}

function lineFor(test: TestCase): string {
  const suite = test.fullName.split(" > ").slice(0, -1).join(" > ");
  return test.name.startsWith(leftOutMark) ? `${suite}: ${test.name}` : `skipped: ${test.fullName}`;
}
