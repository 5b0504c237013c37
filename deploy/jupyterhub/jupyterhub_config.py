"""JupyterHub on one machine: what a department needs to run the course for its own people.

Leave this file as it is, so that an update of the course can replace it. Your decisions go into a file of yours,
/etc/jupyterhub/jupyterhub_config.py, whose later lines win:

    c = get_config()
    load_subconfig("/opt/dlcourse/current/course/deploy/jupyterhub/jupyterhub_config.py")
    c.Authenticator.admin_users = {"name-of-an-administrator"}
    c.Spawner.mem_limit = "3G"
    c.JupyterHub.services.append({"name": "one-more"})  # a list of ours: add to it, or you lose what it holds

deploy/README.md is the guide: what to install, which accounts and folders to make, what it costs.
"""

import grp
import os
import pwd
import sys
from pathlib import Path

from dlcourse.course.server_port import HeldPort

c = get_config()  # noqa: F821 - JupyterHub puts it there

# ---- Where. A web server in front adds TLS (deploy/README.md has the lines for one); the hub itself stays on loopback.
# Ports below 1024, which only root may take: whoever waits for a port to become free would be sent all passwords.
c.JupyterHub.bind_url = "http://127.0.0.1:890"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:891"
c.JupyterHub.hub_port = 892
STATE = Path("/srv/jupyterhub")  # mode 0700, root's: tokens and the key of all cookies lie there
c.JupyterHub.db_url = f"sqlite:///{STATE}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{STATE}/cookie_secret"
c.ConfigurableHTTPProxy.pid_file = f"{STATE}/proxy.pid"
c.JupyterHub.cleanup_servers = False  # a restart of the hub leaves people at their work

# ---- Who. Accounts of this machine, in one of two groups; login_oidc.py, loaded after this file, asks a university's
# login service instead. A person is an account: names reach file names and nbgrader's exchange, so they stay plain.
LEARNERS, INSTRUCTORS = "learners", "instructors"
c.JupyterHub.authenticator_class = "pam"
c.LocalAuthenticator.allowed_groups = {LEARNERS, INSTRUCTORS}
c.PAMAuthenticator.open_sessions = False  # asks PAM for the password only; a session would need a terminal of its own
c.Authenticator.username_pattern = r"^[a-z][a-z0-9_-]{0,30}$"
SLICE = "dlcourse.slice"  # of all learners' servers; the guide's step 5 has the file that limits them together


def groups_of(name: str) -> set[str]:
    """Which of the two groups an account is in, asked as the log-in asks (LDAP included)."""
    numbers = os.getgrouplist(name, pwd.getpwnam(name).pw_gid)
    found = set()
    for group in (LEARNERS, INSTRUCTORS):
        try:
            if grp.getgrnam(group).gr_gid in numbers:
                found.add(group)
        except KeyError:  # no such group: nobody is in it
            continue
    return found


def before_spawn(spawner) -> None:
    """Refuse who is in neither group, and the machine's own accounts; say who is an instructor, and hold who is not.

    A log-in service may call a newcomer as an account of somebody else is called; that one is in no group of ours.
    DLCOURSE_ROLE chooses menus only; the course folder's own rights keep learners out of gradebook and keys.
    """
    name = spawner.user.name
    if pwd.getpwnam(name).pw_uid < 1000:
        raise PermissionError(f"{name} is an account of the machine, not of a person; no server is started for it.")
    groups = groups_of(name)
    if not groups:
        raise PermissionError(f"{name} is in neither group, {LEARNERS} nor {INSTRUCTORS}; no server is started.")
    instructor = INSTRUCTORS in groups
    spawner.environment["DLCOURSE_ROLE"] = "instructor" if instructor else "learner"
    if hasattr(spawner, "unit_extra_properties"):  # systemd starts it
        spawner.slice = None if instructor else SLICE
        # Of the kernel's namespaces the grader's jail is made, and many a hole of the kernel was reached by them.
        closed = {"RestrictNamespaces": "no" if instructor else "yes"}
        spawner.unit_extra_properties = {**spawner.unit_extra_properties, **closed}


c.Spawner.pre_spawn_hook = before_spawn

# ---- What is started, as that person: their copy of the course is brought up to date, then their server runs.
c.Spawner.cmd = [sys.executable, "-P", "-m", "dlcourse.course.hub"]  # -P: a file ~/random.py is not a module
c.Spawner.start_timeout = c.Spawner.http_timeout = 300  # seconds; a class that comes all at once shares the cores
DATA = Path("/srv/dlcourse/data")  # larger data sets, fetched once by the administrator, read by all
if DATA.is_dir():
    c.Spawner.environment = {"DLCOURSE_DATA": str(DATA)}

# ---- How much. A chapter takes up to 1.1 GB and the server beside it 0.2. systemd holds people to these limits;
# without it nothing does, and one runaway cell can stop the machine for all.
c.Spawner.mem_limit = "2G"
c.Spawner.cpu_limit = 2
if Path("/run/systemd/system").is_dir():
    from systemdspawner import SystemdSpawner as Spawner

    c.SystemdSpawner.isolate_tmp = True
    c.SystemdSpawner.disable_user_sudo = True
    c.SystemdSpawner.unit_extra_properties = {  # texts, all of them
        "MemorySwapMax": "0",  # else a runaway cell fills the swap, and the machine is slow for all
        "TasksMax": "512",  # fork bombs
        "LimitNOFILE": "8192",
        "RemoveIPC": "yes",  # shared memory would outlive the server
        "ProtectProc": "invisible",  # the command lines of others
        "LogRateLimitIntervalSec": "30s",  # a flood of lines would push everybody else's out of the journal
        "LogRateLimitBurst": "500",  # lines in those 30 s; a server that is opened in a browser writes 120
    }
else:
    from jupyterhub.spawner import LocalProcessSpawner as Spawner

    print("dlcourse: no systemd here: the limits of memory and cores are NOT enforced.", file=sys.stderr, flush=True)


class HeldPortSpawner(HeldPort, Spawner):
    """A server's port is its person's alone. Settings as ever: c.Spawner, c.SystemdSpawner, c.LocalProcessSpawner."""


c.JupyterHub.spawner_class = HeldPortSpawner
c.JupyterHub.concurrent_spawn_limit = 0  # no limit: person N + 1 would not wait, but read an error page
# For a machine with little memory, in your file: c.JupyterHub.active_server_limit = 20. Person 21 reads "Active user
# limit exceeded" and must press the button again later; nobody is called when a place is free.

# ---- How long. A kernel rests after half an hour without work, a server after an hour without anybody; files stay.
c.Spawner.args = [
    "--MappingKernelManager.cull_idle_timeout=1800",
    "--MappingKernelManager.cull_interval=300",
    "--MappingKernelManager.cull_connected=True",  # also when the page is still open somewhere
]
c.JupyterHub.services = [
    {"name": "idle-culler", "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"]}
]
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]
