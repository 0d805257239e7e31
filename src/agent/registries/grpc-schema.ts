import type { Message } from "@bufbuild/protobuf";
import {
  fileDesc,
  type GenMessage,
  type GenService,
  messageDesc,
  serviceDesc,
} from "@bufbuild/protobuf/codegenv2";
import {
  type EmptySchema,
  file_google_protobuf_empty,
  file_google_protobuf_timestamp,
  type Timestamp,
} from "@bufbuild/protobuf/wkt";

/**
 * `examples/grpc-registry/dewy.proto`, compiled by `protoc-gen-es`; kept here so that the build needs
 * no compiler. What the fields mean stands there.
 */
const file = fileDesc(
  [
    "CgpkZXd5LnByb3RvEgRkZXd5IlYKDkN1cnJlbnRSZXF1ZXN0EgwKBGFyY2gYASABKAkSCgoCb3MYAiABKAkSGQoM",
    "YXJpZmFjdF9uYW1lGAMgASgJSACIAQFCDwoNX2FyaWZhY3RfbmFtZSKEAQoPQ3VycmVudFJlc3BvbnNlEgoKAmlk",
    "GAEgASgJEgsKA3RhZxgCIAEoCRIUCgxhcnRpZmFjdF91cmwYAyABKAkSMwoKY3JlYXRlZF9hdBgEIAEoCzIaLmdv",
    "b2dsZS5wcm90b2J1Zi5UaW1lc3RhbXBIAIgBAUINCgtfY3JlYXRlZF9hdCJTCg1SZXBvcnRSZXF1ZXN0EgoKAmlk",
    "GAEgASgJEgsKA3RhZxgCIAEoCRIPCgdjb21tYW5kGAMgASgJEhAKA2VychgEIAEoCUgAiAEBQgYKBF9lcnIygAEK",
    "D1JlZ2lzdHJ5U2VydmljZRI2CgdDdXJyZW50EhQuZGV3eS5DdXJyZW50UmVxdWVzdBoVLmRld3kuQ3VycmVudFJl",
    "c3BvbnNlEjUKBlJlcG9ydBITLmRld3kuUmVwb3J0UmVxdWVzdBoWLmdvb2dsZS5wcm90b2J1Zi5FbXB0eWIGcHJv",
    "dG8z",
  ].join(""),
  [file_google_protobuf_empty, file_google_protobuf_timestamp],
);

type CurrentRequest = Message<"dewy.CurrentRequest"> & {
  arch: string;
  os: string;
  arifactName?: string;
};

type CurrentResponse = Message<"dewy.CurrentResponse"> & {
  id: string;
  tag: string;
  artifactUrl: string;
  createdAt?: Timestamp;
};

type ReportRequest = Message<"dewy.ReportRequest"> & {
  id: string;
  tag: string;
  command: string;
  err?: string;
};

export const CurrentRequestSchema: GenMessage<CurrentRequest> = messageDesc(file, 0);
export const CurrentResponseSchema: GenMessage<CurrentResponse> = messageDesc(file, 1);
export const ReportRequestSchema: GenMessage<ReportRequest> = messageDesc(file, 2);

/** `dewy.RegistryService`, for a client and a server alike. */
export const RegistryService: GenService<{
  current: {
    methodKind: "unary";
    input: typeof CurrentRequestSchema;
    output: typeof CurrentResponseSchema;
  };
  report: {
    methodKind: "unary";
    input: typeof ReportRequestSchema;
    output: typeof EmptySchema;
  };
}> = serviceDesc(file, 0);
