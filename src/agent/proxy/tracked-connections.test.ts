import { describe, expect, it } from "vitest";
import { translation, translationIn } from "./tracked-connections.ts";

const reply = "src=10.1.0.2 dst=192.0.2.7 sport=8080 dport=41528";
const line = (state: string, counters = "") =>
  `ipv4     2 tcp      6 119 ${state} src=192.0.2.7 dst=192.0.2.1 sport=41528 dport=80 ${counters}${reply} [ASSURED] mark=0 use=2`;

describe("a line of the kernel's table of connections", () => {
  it.each(["SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK"])(
    "is of an open one in %s",
    (state) => {
      expect(translationIn(line(state))).toBe("80 10.1.0.2 8080");
    },
  );

  it.each(["TIME_WAIT", "CLOSE"])("is of none any more in %s", (state) => {
    expect(translationIn(line(state))).toBeUndefined();
  });

  it("may count packets, and be of one that was not answered", () => {
    expect(translationIn(line("ESTABLISHED", "packets=3 bytes=180 "))).toBe("80 10.1.0.2 8080");
    expect(translationIn(line("SYN_SENT", "[UNREPLIED] "))).toBe("80 10.1.0.2 8080");
  });

  it("may be of IPv6, in its long form or its short one", () => {
    const long = "fd00:0000:0000:0000:0000:0000:0000:0002";
    const six = `ipv6     10 tcp      6 99 ESTABLISHED src=::1 dst=::1 sport=4 dport=80 src=${long} dst=::1 sport=8080 dport=4 use=2`;

    expect(translationIn(six)).toBe(translation(80, "fd00::2", 8080));
  });

  it("may be of another protocol", () => {
    const other = line("ESTABLISHED").replace(" tcp ", " udp ");
    expect(translationIn(other)).toBeUndefined();
  });
});
