"""With pypicloud's own code: fills an access database with odd contents, or tells who may do what by it.

python odd-database.py fill URL   prints the passwords of all who were ever there
python odd-database.py ask URL    reads {"passwords": {…}, "projects": […]}, prints who logs in and who may do what
"""
import json
import sys

from pypicloud.access import get_pwd_context
from pypicloud.access.sql import (Base, GroupPermission, KeyVal, SQLAccessBackend, UserPermission)
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

mode, url = sys.argv[1:]
engine = create_engine(url)
Base.metadata.create_all(bind=engine)


class Request:
    authenticated_userid = None


request = Request()
backend = SQLAccessBackend(
    None,
    dbmaker=sessionmaker(bind=engine),
    default_read=["authenticated", "TEAM"],
    default_write=["Größe🔑"],
    pwd_context=get_pwd_context(None, 1000),
)
backend.request = None
db = backend.db
backend.request = request


def fill():
    schemes = ["sha512_crypt", "sha256_crypt", "pbkdf2_sha512", "pbkdf2_sha256", "bcrypt", "argon2"]
    names = ["Ünï-🔑", "Alice", "o'brien", "with space", "a:b", "ALLCAPS", "__proto__", "constructor", "..",
             "50%", 'a"b', "x" * 255, "svc.build@example.com", "root", "pending 1", "gone"]
    if not url.startswith("mysql"):  # whose collation takes them for the same
        names += ["alice", "with space ", "alicé", "Alice\u0301"]
    passwords = {}
    for index, name in enumerate(names):
        passwords[name] = "pw of %s" % name[:20]
        rounds = 7 if index % 6 == 4 else 1 if index % 6 == 5 else 1000
        context = get_pwd_context(schemes[index % 6], rounds)
        backend._register(name, context.hash(passwords[name]))
        if not name.startswith("pending"):
            backend.approve_user(name)
    for name, password in (("plain", "pw of plain"), ("md5", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"), ("empty", "")):
        passwords[name] = "pw of plain" if name == "plain" else "password" if name == "md5" else ""
        backend._register(name, password)
        backend.approve_user(name)
    db.flush()
    backend.set_user_admin("root", True)
    backend.set_user_admin("pending 1", True)
    groups = ["TEAM", "Größe🔑", "nobody", "gone too", "o'group"]
    if not url.startswith("mysql"):
        groups += ["team"]
    for group in groups:
        backend.create_group(group)
    if not url.startswith("sqlite"):
        backend.create_group("everyone")  # as somebody did by hand, so that rules for it are possible
    db.flush()
    for name, group in (("Ünï-🔑", "Größe🔑"), ("Alice", "TEAM"), ("o'brien", "o'group"), ("gone", "TEAM"),
                        ("root", "gone too"), ("pending 1", "TEAM")):
        backend.edit_user_group(name, group, True)
    if not url.startswith("mysql"):
        backend.edit_user_group("alice", "team", True)
    for package, name, read, write in (("tool", "Alice", True, None), ("tool", "a:b", None, True),
                                       ("nulls", "Alice", None, None), ("shut", "Ünï-🔑", False, False),
                                       ("tool", "pending 1", True, True), ("stale", "gone", True, True),
                                       ("constructor", "constructor", True, False)):
        db.add(UserPermission(package, name, read, write))
    for package, group, read, write in (("grouped", "TEAM", True, True), ("grouped", "Größe🔑", True, None),
                                        ("for-all", "everyone", True, None), ("tool", "o'group", None, True),
                                        ("stale", "gone too", True, True)):
        db.add(GroupPermission(package, group, read, write))
    backend.set_allow_register(True)
    db.add(KeyVal("of somebody else", "true"))
    db.commit()
    backend.delete_user("gone")  # on SQLite its rules stay behind
    backend.delete_group("gone too")
    db.commit()
    return passwords


def ask(passwords, projects):
    answers = {}
    for name in [None] + sorted(passwords):
        request.authenticated_userid = None
        logs_in = False
        if name is not None:
            try:
                logs_in = bool(backend.verify_user(name, passwords[name]))
            except Exception:  # a hash that it does not know
                pass
        if logs_in:
            request.authenticated_userid = name
        elif name is not None:
            answers[name] = "stays outside"
            continue
        answers["" if name is None else name] = " ".join(
            "%s:%s%s" % (project, "r" if backend.has_permission(project, "read") else "",
                         "w" if backend.has_permission(project, "write") else "")
            for project in projects)
    return answers


json.dump(fill() if mode == "fill" else ask(**json.load(sys.stdin)), sys.stdout)
