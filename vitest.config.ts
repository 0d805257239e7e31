import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    isolate: false,
    testTimeout: 20_000,
    maxWorkers: 2,
    reporters: ["default", "./test/reporter.ts"],
  },
});
