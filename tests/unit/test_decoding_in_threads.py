"""Types that several threads of one process decode at once, from its first moment on."""

import subprocess
import sys

ROUNDS = 15

MANY_FIRST_MOMENTS = """
import sys, threading

import msgspec

sys.setswitchinterval(1e-6)


def load():
    for name in [each for each in sys.modules if each.startswith("salesforce_sync")]:
        del sys.modules[name]
    from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
    from salesforce_sync.storage.adopted import decode_schema

    fields = tuple(Field(f"F{number}", "", FieldType.TEXT, "string") for number in range(20))
    return decode_schema, msgspec.json.encode(ObjectSchema("Contact", "Contact", fields)).decode()


for _ in range(int(sys.argv[1])):
    decode, text = load()
    start = threading.Barrier(4)
    threads = [threading.Thread(target=lambda: (start.wait(), decode(text))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("all decoded")
"""


def test_the_workers_of_a_first_sync_decode_the_same_schema_at_once():
    """A process ended with SIGSEGV where msgspec met the schema's type in two threads at the same time."""
    ran = subprocess.run([sys.executable, "-c", MANY_FIRST_MOMENTS, str(ROUNDS)], capture_output=True, text=True)

    assert (ran.returncode, ran.stdout) == (0, "all decoded\n"), ran.stderr
