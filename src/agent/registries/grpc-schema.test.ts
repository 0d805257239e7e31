import { create, toBinary } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  CurrentRequestSchema,
  CurrentResponseSchema,
  RegistryService,
  ReportRequestSchema,
} from "./grpc-schema.ts";

describe("dewy.RegistryService", () => {
  it("has the original's methods", () => {
    const { typeName, methods } = RegistryService;

    expect([typeName, ...methods.map(({ name }) => name)]).toEqual([
      "dewy.RegistryService",
      "Current",
      "Report",
    ]);
  });

  it("has the original's field, misspelt as it is", () => {
    expect(CurrentRequestSchema.fields.map(({ name }) => name)).toContain("arifact_name");
  });

  // Tag bytes are (field number << 3) | 2, then the length: protobuf, "Encoding".
  it("has the original's numbers on the wire", () => {
    const createdAt = create(TimestampSchema, { seconds: 1n });
    const answer = { id: "a", tag: "b", artifactUrl: "c", createdAt };
    const request = { arch: "a", os: "b", arifactName: "" };
    const report = { id: "a", tag: "b", command: "c", err: "d" };

    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
    expect(hex(toBinary(CurrentRequestSchema, create(CurrentRequestSchema, request)))).toBe(
      "0a01611201621a00",
    );
    expect(hex(toBinary(CurrentResponseSchema, create(CurrentResponseSchema, answer)))).toBe(
      "0a01611201621a016322020801",
    );
    expect(hex(toBinary(ReportRequestSchema, create(ReportRequestSchema, report)))).toBe(
      "0a01611201621a0163220164",
    );
  });
});
