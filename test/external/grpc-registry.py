"""A release registry on grpcio: grpc-registry.py ARTIFACT-URL

The interface is written down here once more, from the specification, so that a mistake in ours shows.
Prints its port, then every request and report, as lines of JSON.
"""
import json
import sys
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2, message_factory, timestamp_pb2

MESSAGES = {
    "CurrentRequest": ["arch", "os", "arifact_name?"],
    "CurrentResponse": ["id", "tag", "artifact_url", "created_at?"],
    "ReportRequest": ["id", "tag", "command", "err?"],
}


def build():
    file = descriptor_pb2.FileDescriptorProto(name="peer.proto", package="dewy", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    for title, fields in MESSAGES.items():
        message = file.message_type.add(name=title)
        for number, name in enumerate(fields, 1):
            field = message.field.add(name=name.rstrip("?"), number=number, label=1, type=9)
            if name == "created_at?":
                field.type, field.type_name = 11, ".google.protobuf.Timestamp"
            if name.endswith("?"):
                field.proto3_optional = True
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name="_" + field.name)
    pool = descriptor_pool.Default()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    # Since protobuf 4.22; before that a factory object.
    make = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    return {title: make(pool.FindMessageTypeByName("dewy." + title)) for title in MESSAGES}


types = build()


def say(**words):
    print(json.dumps(words), flush=True)


def given(message, name):
    return getattr(message, name) if message.HasField(name) else None


def current(request, context):
    say(arch=request.arch, os=request.os, wanted=given(request, "arifact_name"))
    if given(request, "arifact_name") == "none":
        context.abort(grpc.StatusCode.NOT_FOUND, "nothing for you")
    created_at = timestamp_pb2.Timestamp(seconds=1767225600)
    return types["CurrentResponse"](
        id="7", tag="v1.2.3", artifact_url=sys.argv[1], created_at=created_at
    )


def report(request, context):
    say(id=request.id, tag=request.tag, command=request.command, err=given(request, "err"))
    return empty_pb2.Empty()


def method(answer, title):
    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=types[title].FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


handlers = {"Current": method(current, "CurrentRequest"), "Report": method(report, "ReportRequest")}
server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
server.add_generic_rpc_handlers(
    (grpc.method_handlers_generic_handler("dewy.RegistryService", handlers),)
)
say(port=server.add_insecure_port("127.0.0.1:0"))
server.start()
server.wait_for_termination()
