import { describe, expect, it } from "vitest";
import { onlyExposed } from "./exposed-ports.ts";

describe("the ports of an image, where nobody has named one", () => {
  it("are the only one that it exposes, on the same port of this host", () => {
    expect(onlyExposed([8080])).toMatchObject({
      ports: [{ port: 8080, containerPort: 8080 }],
      level: "info",
    });
  });

  it("are none where it exposes none: it is a worker", () => {
    expect(onlyExposed([])).toMatchObject({ ports: [], level: "info", exposed: "none" });
  });

  it("are none where it exposes several, and that is a warning", () => {
    const { ports, level, exposed, message } = onlyExposed([80, 443]);

    expect({ ports, level, exposed }).toEqual({ ports: [], level: "warn", exposed: "80,443" });
    expect(message).toContain("--port");
  });
});
