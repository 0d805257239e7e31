import { describe, expect, it } from "vitest";
import { ConfigError } from "../../base/errors.ts";
import { directoryWithApp, until } from "../supervisor/sample-app.fake.ts";
import { speaksWhenTold, started } from "./notification.fake.ts";
import { openNotify } from "./notification.ts";

describe("an app that writes to a descriptor", () => {
  const by = { by: "descriptor", number: 9 } as const;

  it("is ready when it has written a newline, and not before", async ({ signal }) => {
    const app = 'const { writeSync } = require("node:fs"); writeSync(9, "almost");';
    const { notification } = await started(by, speaksWhenTold(app, 'writeSync(9, "\\n")'), signal);

    expect(notification.isReady).toBe(false);
    expect(notification.missing).toBe("has written no line to descriptor 9");
    notification.tell();
    await until(() => notification.isReady);
  });

  it("has the descriptor beside its listening sockets", async ({ signal }) => {
    const app = 'require("node:net").createServer().listen({ fd: 4 })';
    const say = 'require("node:fs").writeSync(5, "\\n")';
    const { notification } = await started(
      { by: "descriptor", number: 5 },
      `${app}.on("listening", () => ${say})`,
      signal,
      2,
    );

    await until(() => notification.isReady);
  });

  it("goes on when nobody listens any more", async ({ signal }) => {
    const app = 'const { writeSync } = require("node:fs");';
    const { notification, replacement } = await started(
      by,
      speaksWhenTold(app, 'writeSync(9, "\\n"); process.exit(7)'),
      signal,
    );

    notification.close();
    notification.tell();

    expect((await replacement.failed)?.message).toContain("ended with status 7");
  });
});

describe("sd_notify", () => {
  it("is refused where nothing can receive that", async () => {
    const directory = await directoryWithApp();

    const opening = openNotify(
      { by: "systemd" },
      { directory, environment: { PATH: "/nonexistent" } },
    );

    await expect(opening).rejects.toThrow(ConfigError);
    await expect(opening).rejects.toThrow(/systemd-socket-activate is not on PATH/);
  });
});
