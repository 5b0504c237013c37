"""Log in by a university's login service (OpenID Connect) in place of passwords of the machine.

Load it after jupyterhub_config.py, in your own file, and name your service:

    load_subconfig("/opt/dlcourse/course/deploy/jupyterhub/login_oidc.py")
    c.GenericOAuthenticator.authorize_url = "https://login.example.org/authorize"
    c.GenericOAuthenticator.token_url = "https://login.example.org/token"
    c.GenericOAuthenticator.userdata_url = "https://login.example.org/userinfo"
    c.OAuthenticator.oauth_callback_url = "https://hub.example.org/hub/oauth_callback"

The service gives you an id and a secret. They come by the environment, never by a file that others may read:
OAUTH_CLIENT_ID and OAUTH_CLIENT_SECRET, in the service's own environment file (mode 0600).
"""

c = get_config()  # noqa: F821 - JupyterHub puts it there

c.JupyterHub.authenticator_class = "oauthenticator.generic.LocalGenericOAuthenticator"
c.GenericOAuthenticator.scope = ["openid", "profile"]
c.GenericOAuthenticator.username_claim = "preferred_username"
c.LocalAuthenticator.create_system_users = True  # who logs in for the first time gets an account of this machine
c.OAuthenticator.allow_existing_users = False
