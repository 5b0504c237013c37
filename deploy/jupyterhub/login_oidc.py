"""Log in by a university's login service (OpenID Connect) in place of passwords of the machine.

Load it after jupyterhub_config.py, in your own file, and name your service:

    load_subconfig("/opt/dlcourse/current/course/deploy/jupyterhub/login_oidc.py")
    c.GenericOAuthenticator.authorize_url = "https://login.example.org/authorize"
    c.GenericOAuthenticator.token_url = "https://login.example.org/token"
    c.GenericOAuthenticator.userdata_url = "https://login.example.org/userinfo"
    c.OAuthenticator.oauth_callback_url = "https://hub.example.org/hub/oauth_callback"
    c.OAuthenticator.allow_all = True  # whoever the service knows; or name people in allowed_users

The service gives you an id and a secret. They come by the environment, never by a file that others may read:
OAUTH_CLIENT_ID and OAUTH_CLIENT_SECRET, in /etc/jupyterhub/environment (mode 0600), which the unit reads.

Whoever the service calls `ann` becomes the machine's account `ann`, if that is in the group of learners or instructors.
So take a claim that people cannot choose themselves.
"""

c = get_config()  # noqa: F821 - JupyterHub puts it there

c.JupyterHub.authenticator_class = "oauthenticator.generic.LocalGenericOAuthenticator"
c.GenericOAuthenticator.scope = ["openid", "profile"]
c.GenericOAuthenticator.username_claim = "preferred_username"
c.LocalAuthenticator.allowed_groups = set()  # newcomers have no account yet, and are in no group of the machine
c.LocalAuthenticator.add_user_cmd = ["useradd", "--create-home", "--key", "HOME_MODE=0700", "--groups", "learners"]
c.LocalAuthenticator.create_system_users = True  # who logs in for the first time gets an account of this machine
c.OAuthenticator.allow_existing_users = False
